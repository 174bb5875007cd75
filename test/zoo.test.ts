import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { derivativeGraph } from "../src/ad/derivatives.ts";
import { gradientGraph } from "../src/ad/gradient.ts";
import { findSites, localGraph } from "../src/estimate/sites/graphs.ts";
import { crossEntropy } from "../src/losses/cross-entropy.ts";
import { meanSquaredError } from "../src/losses/mean-squared-error.ts";
import { compileObjective } from "../src/objective/compile-objective.ts";
import type { ExampleLayout } from "../src/objective/coupling.ts";
import { inSinglePrecision } from "../src/objective/importing/precision.ts";
import { decodeModel } from "../src/onnx/decode.ts";
import { encodeModel } from "../src/onnx/encode.ts";
import { toHalf, toSingle } from "../src/onnx/half-precision.ts";
import type { Model } from "../src/onnx/read-model.ts";
import { float32, int64, isHalf, type Tensor } from "../src/onnx/tensor.ts";
import { keyFromSeed } from "../src/random/threefry.ts";
import { evaluate } from "../src/runtime/evaluate.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import type { Tensors } from "../src/runtime/runtime.ts";
import { createEstimator } from "../src/train/settings/estimator.ts";
import { readGolden } from "./golden.ts";
import { relativeError } from "./relative-error.ts";

/** A tensor that the stream gives: whole numbers below `values`, or floats. */
interface Drawn {
  readonly shape: number[];
  readonly values: number | null;
}

/** Float64 PyTorch's results at the numbers of the stream. */
interface ZooGolden {
  readonly opset: number;
  readonly inputs: Readonly<Record<string, Drawn>>;
  readonly labels: Drawn;
  readonly loss: "cross-entropy" | "mean-squared-error";
  readonly classAxis: number;
  /** [batch] */
  readonly losses: number[];
  /** [k][batch] */
  readonly derivatives: number[][];
  /** Of every trained initializer: the gradient's norm and its products with some directions. */
  readonly gradients: Readonly<Record<string, { shape: number[]; norm: number; projections: number[] }>>;
  /** Float initializers that are not trained. */
  readonly others: string[];
}

/** The linear congruential generator of zoo.py: every tensor takes the numbers that follow. */
class Stream {
  #state = 1;

  #next(): number {
    this.#state = (Math.imul(this.#state, 1664525) + 1013904223) >>> 0;
    return this.#state >>> 8;
  }

  draw({ shape, values }: Drawn): Tensor {
    const count = shape.reduce((product, size) => product * size, 1);
    if (values === null)
      return {
        dtype: "float32",
        shape,
        data: Float32Array.from({ length: count }, () => this.#next() / 2 ** 23 - 1),
      };
    return int64(
      Array.from({ length: count }, () => this.#next() % values),
      shape,
    );
  }
}

const runtime = nodeRuntime({ threads: 1 });
const folder = new URL("goldens/zoo/", import.meta.url);
const files = readdirSync(folder).filter((name) => name.endsWith(".onnx"));
const read = (name: string) => new Uint8Array(readFileSync(new URL(name, folder)));
const load = (name: string) => decodeModel(read(name), { source: name, external: read });
const floats = (tensor: Tensor | undefined) => tensor?.data as Float32Array;
/** Files of 16 bits also round their constants, such as √½ in gelu and the ε of a norm. */
const boundOf = (file: string) => (/float16|half/.test(file) ? 5e-4 : 1e-5);
const batch = 4;

function compile(model: Model, golden: ZooGolden) {
  const loss =
    golden.loss === "mean-squared-error" ? meanSquaredError() : crossEntropy({ classAxis: golden.classAxis });
  return compileObjective({ model, loss, runtime, batch, dimensions: { sequence: 6 } });
}

/** Everything that both sides draw, in the order of zoo.py. */
function drawAll(golden: ZooGolden) {
  const stream = new Stream();
  const draw = (entries: [string, Drawn][]) =>
    Object.fromEntries(entries.map(([name, drawn]) => [name, stream.draw(drawn)]));
  const each = (count: number) =>
    Object.entries(golden.gradients).map(([name, { shape }]): [string, Drawn] => [
      name,
      { shape: [count, ...shape], values: null },
    ]);
  const inputs = draw(Object.entries(golden.inputs));
  const labels = stream.draw(golden.labels);
  const tangents = draw(each(golden.derivatives.length));
  const count = Object.values(golden.gradients)[0]?.projections.length ?? 0;
  const target = golden.loss === "mean-squared-error" ? "target" : "labels";
  return { feeds: { ...inputs, [target]: labels }, tangents, directions: draw(each(count)) };
}

/** The products of a tensor with each of the directions [count, ...shape]. */
function project(values: Float32Array, directions: Float32Array): number[] {
  return Array.from({ length: directions.length / values.length }, (_, index) =>
    values.reduce(
      (total, value, place) => total + value * (directions[index * values.length + place] as number),
      0,
    ),
  );
}

/** All gradients equal PyTorch's to a relative error of `bound`, as far as their norms and projections tell. */
function expectGradients(golden: ZooGolden, found: Tensors, directions: Tensors, bound: number): void {
  const total = Math.hypot(...Object.values(golden.gradients).map(({ norm }) => norm));
  let errors = 0;
  for (const [name, { norm, projections }] of Object.entries(golden.gradients)) {
    const gradient = floats(found[`gradient/${name}`]);
    const differences = project(gradient, floats(directions[name])).map(
      (value, index) => value - (projections[index] as number),
    );
    // The directions' numbers have the variance ⅓, so three times the mean square estimates ‖g − g*‖².
    const error = Math.sqrt(
      (3 * differences.reduce((sum, value) => sum + value ** 2, 0)) / differences.length,
    );
    // Some gradients vanish, as that of the bias of attention's keys.
    const allowed = bound * (norm + total / 100);
    expect(error, name).toBeLessThan(allowed);
    expect(Math.abs(Math.hypot(...gradient) - norm), name).toBeLessThan(allowed);
    errors = Math.hypot(errors, error);
  }
  expect(errors / total).toBeLessThan(bound);
}

/** A value [outer, batch, inner] as the tangents at its site are kept: [1, batch, outer · inner]. */
function byExample(values: Float32Array, { outer, inner }: ExampleLayout, scale: number): Tensor {
  const size = outer * inner;
  const data = new Float32Array(values.length);
  values.forEach((value, place) => {
    const [block, example] = [Math.floor(place / (batch * inner)), Math.floor(place / inner) % batch];
    data[example * size + block * inner + (place % inner)] = value * scale;
  });
  return { dtype: "float32", shape: [1, batch, size], data };
}

describe("networks exported by PyTorch", () => {
  for (const file of files) {
    const golden = readGolden<ZooGolden>(`zoo/${file.replace(".onnx", ".golden.json")}`);
    const bound = boundOf(file);

    it(`${file}: losses, derivatives and gradient equal PyTorch's`, async () => {
      const model = load(file);
      expect(model.opset).toBe(golden.opset);
      const { graph, parameters } = await compile(model, golden);
      const names = Object.keys(golden.gradients);
      expect(Object.keys(parameters).sort()).toEqual([...names].sort());

      const { feeds, tangents, directions } = drawAll(golden);
      const forms = new Map(names.map((name) => [name, "stacked"] as const));
      const dual = derivativeGraph(graph, forms, golden.derivatives.length, "losses");
      const along = Object.entries(tangents).map(([name, tangent]) => [`tangent/${name}`, tangent]);
      const found = await evaluate(runtime, dual, { ...parameters, ...feeds, ...Object.fromEntries(along) });
      expect(relativeError(floats(found.losses), golden.losses)).toBeLessThan(bound);
      expect(relativeError(floats(found.derivatives), golden.derivatives.flat())).toBeLessThan(bound);

      const mean = derivativeGraph(graph, forms, golden.derivatives.length, "loss");
      const means = await evaluate(runtime, mean, { ...parameters, ...feeds, ...Object.fromEntries(along) });
      const expected = golden.derivatives.map((row) =>
        row.reduce((total, value) => total + value / batch, 0),
      );
      expect(relativeError(floats(means.derivatives), expected)).toBeLessThan(bound);

      const exact = await evaluate(runtime, gradientGraph(graph, names, "loss"), { ...parameters, ...feeds });
      expectGradients(golden, exact, directions, bound);
    });

    it(`${file}: activations can be perturbed`, async () => {
      const objective = await compile(load(file), golden);
      const estimator = await createEstimator(objective, { perturb: "activations", tangents: 4 });
      const { loss, gradients } = await estimator.estimate(
        { ...objective.parameters, ...drawAll(golden).feeds },
        keyFromSeed(3),
      );
      const mean = golden.losses.reduce((total, value) => total + value / batch, 0);
      expect(Math.abs(loss - mean)).toBeLessThan(bound * Math.abs(mean));
      for (const [name, gradient] of Object.entries(gradients))
        expect(Number.isFinite(Math.hypot(...gradient)), name).toBe(true);
      await estimator.release();
    });

    it(`${file}: exact gradients at the sites give those of the parameters`, async () => {
      const objective = await compile(load(file), golden);
      const { feeds, directions } = drawAll(golden);
      const all = { ...objective.parameters, ...feeds };
      const placed = await findSites(objective, {});
      const values = placed.sites.map((site) => site.value);
      const exact = await evaluate(runtime, gradientGraph(objective.graph, values, "loss"), all);
      // With one tangent for each example, along the gradient of its own loss, and the coefficient 1.
      const tangents = placed.sites.map(({ value, layout }) => [
        `tangent/${value}`,
        byExample(floats(exact[`gradient/${value}`]), layout, batch),
      ]);
      const coefficients = float32(
        Array.from({ length: batch }, () => 1),
        [1, batch],
      );
      const local = localGraph(objective, placed, { count: 1, examples: batch }, 1, "computed");
      const found = await evaluate(runtime, local, { ...all, ...Object.fromEntries(tangents), coefficients });
      expectGradients(golden, found, directions, bound);
    });

    it(`${file}: is saved with everything but the weights as it was`, async () => {
      const model = load(file);
      const changed = new Map(
        Object.keys(golden.gradients).map((name) => {
          const tensor = model.initializers.get(name) as Tensor;
          const single = toSingle(tensor);
          return [name, { ...single, data: floats(single).map((value) => value + 1) }] as const;
        }),
      );
      const computed = await inSinglePrecision(model);
      const saved = decodeModel(encodeModel(computed, changed), { source: file });
      for (const [name, before] of model.initializers) {
        const { dtype } = before;
        const after = changed.get(name) ?? before;
        const { data } = isHalf(dtype) && after !== before ? toHalf(after, dtype) : after;
        expect(saved.initializers.get(name), name).toEqual({ ...before, data });
      }
      const { name, nodes, inputs, outputs, opset } = saved;
      expect({ name, nodes, inputs, outputs, opset }).toEqual({
        name: model.name,
        nodes: model.nodes,
        inputs: model.inputs,
        outputs: model.outputs,
        opset: model.opset,
      });
      expect(saved.proto.metadataProps).toEqual(model.proto.metadataProps);
      expect(saved.proto.metadataProps.map(({ key, value }) => [key, value])).toEqual([
        ["task", "classification"],
      ]);
      const { producerName, producerVersion, irVersion } = model.proto;
      expect(saved.proto).toMatchObject({ producerName, producerVersion, irVersion });
    });
  }

  it("train a buffer only when it is chosen", async () => {
    const options = { model: load("llama-dynamo23.onnx"), loss: crossEntropy(), runtime, batch };
    const isTable = (name: string) => name.endsWith(".cosine");
    const usual = await compileObjective(options);
    expect(Object.keys(usual.parameters).some(isTable)).toBe(false);
    const chosen = await compileObjective({ ...options, trainable: isTable });
    expect(Object.keys(chosen.parameters)).toEqual([
      "blocks.0.attention.cosine",
      "blocks.1.attention.cosine",
    ]);
  });
});
