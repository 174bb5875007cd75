import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { cosine, exactGradient } from "../src/estimate/exact.ts";
import { crossEntropy } from "../src/losses/cross-entropy.ts";
import { meanSquaredError } from "../src/losses/mean-squared-error.ts";
import { compileObjective } from "../src/objective/compile-objective.ts";
import { graphObjective } from "../src/objective/objective.ts";
import { decodeModel } from "../src/onnx/decode.ts";
import type { Value } from "../src/onnx/graph.ts";
import { float32 } from "../src/onnx/tensor.ts";
import { GraphBuilder } from "../src/ops/full-builder.ts";
import { keyFromSeed } from "../src/random/threefry.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import { createEstimator } from "../src/train/settings/estimator.ts";
import { fromGolden, type GoldenTensor, type GoldenTensors, readGolden } from "./golden.ts";
import { relativeError } from "./relative-error.ts";

const runtime = nodeRuntime({ threads: 1 });

async function objectiveOf(file: string) {
  const bytes = new Uint8Array(readFileSync(new URL(`goldens/onnx/${file}.onnx`, import.meta.url)));
  const model = decodeModel(bytes, { source: `${file}.onnx` });
  const objective = await compileObjective({ model, loss: crossEntropy(), runtime, batch: 4 });
  const golden = readGolden<{ inputs: GoldenTensor; labels: GoldenTensor; gradients: GoldenTensors }>(
    `onnx/${file}.golden.json`,
  );
  const feeds = {
    ...objective.parameters,
    input: fromGolden(golden.inputs),
    labels: fromGolden(golden.labels),
  };
  return { objective, golden, feeds };
}

describe("activations of lowered models", () => {
  for (const file of [
    "norms-dynamo21",
    "norms-opset13",
    "attention-dynamo23",
    "lstm-opset17",
    "gru-opset13",
  ]) {
    for (const shareTangents of [false, true]) {
      it(`${file}: with as many ${shareTangents ? "shared " : ""}tangents as dimensions, the exact gradient`, async () => {
        const { objective, golden, feeds } = await objectiveOf(file);
        const { dimension } = await createEstimator(objective, { tangents: 1 });
        const tangents = Math.ceil(1.3 * dimension);
        const estimator = await createEstimator(objective, {
          tangents,
          perturb: { name: "activations", shareTangents },
        });
        const { gradients } = await estimator.estimate(feeds, keyFromSeed(5));
        for (const [name, { data }] of Object.entries(golden.gradients))
          expect(relativeError(gradients[name] as Float32Array, data), name).toBeLessThan(1e-3);
        await estimator.release();
      });
    }
  }
});

describe("batch normalization with statistics of the batch", () => {
  const build = () => {
    const g = new GraphBuilder("batch statistics");
    const x = g.input("x", "float32", [4, 3]);
    const weight = g.parameter("weight", float32([1, -2, 0.5, 3, 0.2, -1], [3, 2]));
    const channel = (name: string, values: readonly number[]) => g.parameter(name, float32(values));
    const operands = [
      g.matMul(x, weight),
      channel("scale", [1, 0.5]),
      channel("bias", [0, 1]),
      channel("mean", [0.1, 0.2]),
      channel("variance", [1, 2]),
    ];
    const [y] = g.node("BatchNormalization", operands, { training_mode: 1 }, { name: "norm", outputs: 3 });
    return g.build({ y: y as Value });
  };
  const compile = () => compileObjective({ model: build(), loss: meanSquaredError(), runtime, batch: 4 });

  it("is refused by name where examples need derivatives of their own", async () => {
    await expect(createEstimator(await compile(), { tangents: 4 })).rejects.toThrow(
      "BatchNormalization node 'norm' mixes the examples of a batch",
    );
  });

  it("with as many weight tangents as parameters, the exact gradient; the running statistics are no parameters", async () => {
    const objective = await compile();
    expect(Object.keys(objective.parameters)).toEqual(["weight", "scale", "bias"]);
    const values = (count: number, step: number) =>
      Array.from({ length: count }, (_, place) => Math.sin(place * step));
    const feeds = {
      ...objective.parameters,
      x: float32(values(12, 1.7), [4, 3]),
      target: float32(values(8, 2.3), [4, 2]),
    };
    const exact = (await (await exactGradient(objective)).estimate(feeds, keyFromSeed(1))).gradients;
    const estimator = await createEstimator(objective, { tangents: 16, perturb: "weights" });
    const { gradients } = await estimator.estimate(feeds, keyFromSeed(1));
    expect(cosine(gradients, exact)).toBeGreaterThan(1 - 1e-6);
    await estimator.release();
  });
});

describe("closed-form functions with composite ops", () => {
  it("are lowered before they are differentiated", async () => {
    const g = new GraphBuilder("angle");
    const x = g.parameter("x", float32([3, 4]));
    const objective = graphObjective(
      g.build({ loss: g.reduceSum(g.lpNormalization(x), { keepdims: 0 }) }),
      runtime,
    );
    const { gradients } = await (await exactGradient(objective)).estimate(
      objective.parameters,
      keyFromSeed(1),
    );
    // Σ x/‖x‖ at (3, 4): ∂₁ = 1/5 − 3·7/125
    expect([...(gradients.x as Float32Array)]).toEqual([
      expect.closeTo(1 / 5 - 21 / 125, 6),
      expect.closeTo(1 / 5 - 28 / 125, 6),
    ]);
  });
});
