import { afterAll, describe, expect, it } from "vitest";
import { derivativeGraph } from "../src/ad/derivatives.ts";
import { gradientGraph } from "../src/ad/gradient.ts";
import { activationSites } from "../src/ad/sites.ts";
import { getValue } from "../src/onnx/graph.ts";
import { elementCount, float32, type Tensor } from "../src/onnx/tensor.ts";
import { keyFromSeed } from "../src/random/threefry.ts";
import { compileGraph, evaluate } from "../src/runtime/evaluate.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import { createEstimator } from "../src/train/settings/estimator.ts";
import { readGolden } from "./golden.ts";
import {
  type GoldenCase,
  goldenSiteTangents,
  type ModelGolden,
  openGolden,
  type SmallModelGolden,
  unpack,
} from "./model-goldens.ts";
import { relativeError } from "./relative-error.ts";

const runtime = nodeRuntime({ threads: 1 });
const numbers = (tensor: Tensor | undefined) => tensor?.data as Float32Array;
const stacked = (names: readonly string[]) => new Map(names.map((name) => [name, "stacked"] as const));

const opened = new Map<ModelGolden, Promise<GoldenCase>>();

/** Compiled once for all tests of a golden. */
function open(golden: ModelGolden): Promise<GoldenCase> {
  const found = opened.get(golden) ?? openGolden(golden, runtime);
  opened.set(golden, found);
  return found;
}

// ‖d − d*‖ / ‖d*‖ against PyTorch's float64: of results of one float32 pass, and after solving for coefficients.
const bound = 1e-5;
const solvedBound = 1e-4;

function checksOfAnySize(golden: ModelGolden): void {
  it(`${golden.name}: parameters by their names in PyTorch, and the same numbers in them`, async () => {
    const { objective } = await open(golden);
    const trained = Object.values(objective.parameters);
    expect(Object.keys(objective.parameters).sort()).toEqual(
      golden.parameters.filter((name) => !name.includes(".running_")).sort(),
    );
    expect(trained.reduce((total, { data }) => total + data.length, 0)).toBe(golden.count);
    const all = golden.parameters.map(
      (name) => objective.parameters[name] ?? (objective.graph.initializers.get(name) as Tensor),
    );
    let [sum, squares] = [0, 0];
    for (const { data } of all)
      for (const value of data as Float32Array) {
        sum += value;
        squares += value * value;
      }
    expect(Math.abs(sum - golden.sum)).toBeLessThan(1e-6 * Math.sqrt(golden.count));
    expect(Math.abs(squares / golden.squares - 1)).toBeLessThan(1e-9);
  });

  it(`${golden.name}: losses, and derivatives along directions of the weights`, async () => {
    const { objective, feeds, weightTangents } = await open(golden);
    const { graph } = objective;
    const perExample = derivativeGraph(graph, stacked(graph.parameters), golden.k, "losses");
    const result = await evaluate(runtime, perExample, { ...feeds, ...weightTangents });
    expect(relativeError(numbers(result.losses), golden.losses)).toBeLessThan(bound);
    expect(Math.abs(Number(result.loss?.data[0]) / golden.loss - 1)).toBeLessThan(bound);
    expect(relativeError(numbers(result.derivatives), golden.weightDerivatives)).toBeLessThan(bound);
    const ofMean = derivativeGraph(graph, stacked(graph.parameters), golden.k, "loss");
    const mean = await evaluate(runtime, ofMean, { ...feeds, ...weightTangents });
    expect(relativeError(numbers(mean.derivatives), meanDerivatives(golden))).toBeLessThan(bound);
  });

  it(`${golden.name}: the exact gradient's norm in each parameter, and its products with the directions`, async () => {
    const { gradients } = await exactOf(golden);
    const { weightTangents } = await open(golden);
    const trained = golden.parameters.filter((name) => name in gradients);
    const norms = trained.map((name) => Math.sqrt(product(gradients[name])));
    expect(relativeError(norms, golden.gradientNorms)).toBeLessThan(bound);
    const slopes = Array.from({ length: golden.k }, (_, tangent) =>
      trained.reduce((total, name) => {
        const size = gradients[name]?.length ?? 0;
        const direction = numbers(weightTangents[`tangent/${name}`]).subarray(
          tangent * size,
          (tangent + 1) * size,
        );
        return total + product(gradients[name], direction);
      }, 0),
    );
    expect(relativeError(slopes, meanDerivatives(golden))).toBeLessThan(bound);
  });
}

function product(a: Float32Array = new Float32Array(), b = a): number {
  return a.reduce((total, value, place) => total + value * (b[place] as number), 0);
}

/** d_i of the mean loss, from those of the examples. */
function meanDerivatives({ k, batch, weightDerivatives }: ModelGolden): number[] {
  return Array.from({ length: k }, (_, tangent) => {
    const each = weightDerivatives.slice(tangent * batch, (tangent + 1) * batch);
    return each.reduce((total, value) => total + value, 0) / batch;
  });
}

async function exactOf(golden: ModelGolden) {
  const { objective, feeds } = await open(golden);
  const { graph } = objective;
  const result = await evaluate(runtime, gradientGraph(graph, graph.parameters, "loss"), feeds);
  const gradients = Object.fromEntries(
    graph.parameters.map((name) => [name, numbers(result[`gradient/${name}`])]),
  );
  return { objective, feeds, gradients };
}

/** Gradients one after the other, in the golden's order. */
function inOrder(golden: ModelGolden, gradients: Readonly<Record<string, Float32Array>>): Float32Array {
  const parts = golden.parameters.flatMap((name) => gradients[name] ?? []);
  const all = new Float32Array(parts.reduce((total, part) => total + part.length, 0));
  let place = 0;
  for (const part of parts) {
    all.set(part, place);
    place += part.length;
  }
  return all;
}

describe("small models", () => {
  for (const golden of readGolden<SmallModelGolden[]>("models.golden.json")) {
    checksOfAnySize(golden);

    it(`${golden.name}: the exact gradient`, async () => {
      const { gradients } = await exactOf(golden);
      expect(relativeError(inOrder(golden, gradients), unpack(golden.gradient))).toBeLessThan(bound);
    });

    it(`${golden.name}: derivatives of each example along directions at the activation sites`, async () => {
      const { objective, feeds } = await open(golden);
      const { graph } = objective;
      const sites = activationSites(graph, graph.parameters, "losses");
      expect(sites.map(({ parameters }) => [...parameters].sort())).toEqual(
        golden.sites.map(({ parameters }) => [...parameters].sort()),
      );
      expect(sites.map(({ value }) => getValue(graph, value).shape)).toEqual(
        golden.sites.map(({ shape }) => shape),
      );
      const injected = sites.map(({ value }, index) => [
        `tangent/${value}`,
        goldenSiteTangents(index, golden.k, getValue(graph, value).shape),
      ]);
      const names = stacked(sites.map(({ value }) => value));
      const derived = derivativeGraph(graph, names, golden.k, "losses");
      const result = await evaluate(runtime, derived, { ...feeds, ...Object.fromEntries(injected) });
      expect(relativeError(numbers(result.derivatives), golden.activationDerivatives)).toBeLessThan(bound);
    });

    it(`${golden.name}: activations with more tangents than the sites have numbers give the exact gradient`, async () => {
      const { objective, feeds } = await open(golden);
      const { graph, batch } = objective;
      const size = activationSites(graph, graph.parameters, "losses").reduce(
        (total, { value }) => total + elementCount(getValue(graph, value).shape) / batch,
        0,
      );
      // A fifth more keeps the systems well conditioned.
      const estimator = await createEstimator(objective, { tangents: Math.ceil(1.2 * size) });
      const { gradients } = await estimator.estimate(feeds, keyFromSeed(1));
      await estimator.release();
      expect(relativeError(inOrder(golden, gradients), unpack(golden.gradient))).toBeLessThan(solvedBound);
    });

    it(`${golden.name}: the derivatives along all unit directions are the exact gradient`, async () => {
      const { objective, feeds } = await open(golden);
      const { graph, parameters } = objective;
      const k = 256;
      const session = await compileGraph(
        runtime,
        derivativeGraph(graph, stacked(graph.parameters), k, "loss"),
      );
      const gradient = new Float32Array(golden.count);
      for (let start = 0; start < golden.count; start += k) {
        const directions = unitTangents(golden, parameters, start, k);
        const { derivatives } = await session.run({ ...feeds, ...directions }, ["derivatives"]);
        gradient.set(numbers(derivatives).subarray(0, Math.min(k, golden.count - start)), start);
      }
      await session.release();
      expect(relativeError(gradient, unpack(golden.gradient))).toBeLessThan(bound);
    });
  }
});

/** Tangents start, start + 1, … of the standard basis of all parameters, in the golden's order. */
function unitTangents(
  golden: ModelGolden,
  parameters: Readonly<Record<string, Tensor>>,
  start: number,
  k: number,
): Record<string, Tensor> {
  const result: Record<string, Tensor> = {};
  let offset = 0;
  for (const name of golden.parameters) {
    const parameter = parameters[name];
    if (!parameter) continue;
    const size = parameter.data.length;
    const data = new Float32Array(k * size);
    for (let tangent = 0; tangent < k; tangent++) {
      const place = start + tangent - offset;
      if (place >= 0 && place < size) data[tangent * size + place] = 1;
    }
    result[`tangent/${name}`] = float32(data, [k, ...parameter.shape]);
    offset += size;
  }
  return result;
}

describe("full-size models", () => {
  for (const golden of readGolden<ModelGolden[]>("full-models.golden.json"))
    describe(golden.name, () => {
      checksOfAnySize(golden);
      // Their parameters and directions take hundreds of megabytes.
      afterAll(() => opened.clear());
    });
});
