import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { derivativeGraph } from "../src/ad/derivatives.ts";
import { gradientGraph } from "../src/ad/gradient.ts";
import { exactGradient } from "../src/estimate/exact.ts";
import { crossEntropy } from "../src/losses/cross-entropy.ts";
import { compileObjective } from "../src/objective/compile-objective.ts";
import { decodeModel } from "../src/onnx/decode.ts";
import { encodeModel } from "../src/onnx/encode.ts";
import { float32, type Tensor } from "../src/onnx/tensor.ts";
import { emittedOpset } from "../src/ops/builder.ts";
import { GraphBuilder } from "../src/ops/full-builder.ts";
import { evaluate } from "../src/runtime/evaluate.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import { createEstimator } from "../src/train/settings/estimator.ts";
import { fromGolden, type GoldenTensor, type GoldenTensors, readGolden } from "./golden.ts";
import { relativeError } from "./relative-error.ts";

interface ImportGolden {
  readonly opset: number;
  readonly inputs: GoldenTensor;
  readonly labels: GoldenTensor;
  readonly outputs: GoldenTensor;
  readonly loss: number;
  readonly losses: GoldenTensor;
  readonly k: number;
  readonly weightTangents: GoldenTensors;
  readonly weightDerivatives: GoldenTensor;
  readonly weightDerivativesPerExample: GoldenTensor;
  readonly gradients: GoldenTensors;
}

const runtime = nodeRuntime({ threads: 1 });
const folder = new URL("goldens/onnx/", import.meta.url);
const files = readdirSync(folder).filter((name) => name.endsWith(".onnx"));
const read = (name: string) => new Uint8Array(readFileSync(new URL(name, folder)));
const load = (name: string) => decodeModel(read(name), { source: name, external: read });
const numbers = (tensor: Tensor | undefined) => tensor?.data as Float32Array;
const bound = 1e-5;

describe("names that derived graphs use themselves", () => {
  const build = (inner: string, output: string) => {
    const g = new GraphBuilder("clash");
    const x = g.input("x", "float32", [4, 3]);
    const w = g.parameter("w", float32([1, 2, 3, 4, 5, 6], [3, 2]));
    const hidden = g.node("MatMul", [x, w], {}, { name: inner })[0];
    return g.build({ [output]: g.tanh(hidden) });
  };

  it("are renamed inside a model", async () => {
    for (const name of [
      "loss",
      "losses",
      "labels",
      "derivatives",
      "coefficients",
      "tangent/w",
      "gradient/w",
    ]) {
      const objective = await compileObjective({
        model: build(name, "y"),
        loss: crossEntropy(),
        runtime,
        batch: 4,
      });
      for (const perturb of ["weights", "activations"] as const)
        await (await createEstimator(objective, { perturb, tangents: 2 })).release();
      await (await exactGradient(objective)).release();
    }
  });

  it("are refused where they are public", async () => {
    await expect(
      compileObjective({ model: build("h", "labels"), loss: crossEntropy(), runtime, batch: 4 }),
    ).rejects.toThrow(/'labels' is the name of an input, output or stored tensor/);
  });
});

describe("files exported by PyTorch", () => {
  for (const file of files) {
    it(`${file}: derivatives and gradient equal PyTorch's`, async () => {
      const golden = readGolden<ImportGolden>(`onnx/${file.replace(".onnx", ".golden.json")}`);
      const model = load(file);
      expect(model.opset).toBe(golden.opset);
      const objective = await compileObjective({ model, loss: crossEntropy(), runtime, batch: 4 });
      const { graph, parameters } = objective;
      expect(graph.opset).toBe(emittedOpset);
      expect(Object.keys(parameters).sort()).toEqual(Object.keys(golden.weightTangents).sort());

      const forms = new Map(Object.keys(parameters).map((name) => [name, "stacked"] as const));
      const tangents = Object.entries(golden.weightTangents).map(([name, value]) => [
        `tangent/${name}`,
        fromGolden(value),
      ]);
      const feeds = { ...parameters, input: fromGolden(golden.inputs), labels: fromGolden(golden.labels) };
      const all = { ...feeds, ...Object.fromEntries(tangents) };
      const mean = await evaluate(runtime, derivativeGraph(graph, forms, golden.k, "loss"), all);
      expect(relativeError(numbers(mean[objective.output]), golden.outputs.data)).toBeLessThan(bound);
      expect(relativeError(numbers(mean.derivatives), golden.weightDerivatives.data)).toBeLessThan(bound);
      const each = await evaluate(runtime, derivativeGraph(graph, forms, golden.k, "losses"), all);
      expect(relativeError(numbers(each.derivatives), golden.weightDerivativesPerExample.data)).toBeLessThan(
        bound,
      );
      const exact = await evaluate(runtime, gradientGraph(graph, graph.parameters, "loss"), feeds);
      for (const [name, gradient] of Object.entries(golden.gradients))
        expect(relativeError(numbers(exact[`gradient/${name}`]), gradient.data), name).toBeLessThan(bound);
    });
  }

  it("are saved with everything but the weights as it was", () => {
    for (const file of files) {
      const model = load(file);
      const [name, tensor] = [...model.initializers].find(([, value]) => value.dtype === "float32") ?? [];
      if (!name || !tensor) throw new Error(`${file} has no float initializer`);
      const changed = { ...tensor, data: (tensor.data as Float32Array).map((value) => value + 1) };
      const saved = decodeModel(encodeModel(model, new Map([[name, changed]])), { source: file });
      expect(saved.initializers.get(name)?.data).toEqual(changed.data);
      for (const [other, before] of model.initializers)
        if (other !== name) expect(saved.initializers.get(other)?.data, other).toEqual(before.data);
      const { nodes, inputs, outputs, opset } = model;
      expect({
        nodes: saved.nodes,
        inputs: saved.inputs,
        outputs: saved.outputs,
        opset: saved.opset,
      }).toEqual({ nodes, inputs, outputs, opset });
      expect(saved.proto.metadataProps).toEqual(model.proto.metadataProps);
      expect(saved.proto.producerName).toBe(model.proto.producerName);
      expect(saved.proto.graph?.node.map((node) => node.docString)).toEqual(
        model.proto.graph?.node.map((node) => node.docString),
      );
    }
  });
});
