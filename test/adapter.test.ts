import { describe, expect, it } from "vitest";
import { exactGradient } from "../src/estimate/exact.ts";
import { crossEntropy } from "../src/losses/cross-entropy.ts";
import { mlp } from "../src/models/mlp.ts";
import { adaptModel } from "../src/objective/adapters/adapt-model.ts";
import { compileObjective } from "../src/objective/compile-objective.ts";
import { modelOfGraph } from "../src/objective/importing/model-file.ts";
import { decodeModel } from "../src/onnx/decode.ts";
import { encodeModel } from "../src/onnx/encode.ts";
import type { Model } from "../src/onnx/read-model.ts";
import { float32, int64, type Tensor } from "../src/onnx/tensor.ts";
import { keyFromSeed } from "../src/random/threefry.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import { createEstimator } from "../src/train/settings/estimator.ts";
import { relativeError } from "./relative-error.ts";

const runtime = nodeRuntime({ threads: 1 });
const batch = 3;
const base = modelOfGraph(mlp({ input: [6], hidden: [5], outputs: 4, activation: "tanh" }));
const input = float32(
  Array.from({ length: batch * 6 }, (_, place) => Math.sin(place)),
  [batch, 6],
);

async function logitsOf(model: Model, replaced: ReadonlyMap<string, Tensor> = new Map()) {
  const session = await runtime.createSession(encodeModel(model, replaced));
  const { logits } = await session.run({ input });
  await session.release();
  return logits?.data as Float32Array;
}

/** Values of A and B that are not zero. */
function trainedValues(model: Model, parameters: readonly string[]): Record<string, Tensor> {
  return Object.fromEntries(
    parameters.map((name, index) => {
      const tensor = model.initializers.get(name) as Tensor;
      const data = Float32Array.from(
        { length: tensor.data.length },
        (_, place) => Math.cos(place + index) / 3,
      );
      return [name, { ...tensor, data }];
    }),
  );
}

describe("low-rank adapters", () => {
  it("leave the model as it was until they are trained", async () => {
    const { model, parameters } = adaptModel(base, { rank: 2 });
    expect(parameters).toEqual([
      "layer1.weight.lora_A",
      "layer1.weight.lora_B",
      "layer2.weight.lora_A",
      "layer2.weight.lora_B",
    ]);
    expect(await logitsOf(model)).toEqual(await logitsOf(base));
  });

  it.each([undefined, 3])("merge into a file with the base model's interface (alpha %s)", async (alpha) => {
    const { model, parameters, merge } = adaptModel(base, { rank: 2, alpha });
    if (!merge) throw new Error("float matrices can be merged");
    const trained = trainedValues(model, parameters);
    const merged = decodeModel(encodeModel(base, merge(trained)));
    expect([...merged.initializers.keys()]).toEqual([...base.initializers.keys()]);
    const adapted = await logitsOf(model, new Map(Object.entries(trained)));
    expect(relativeError(await logitsOf(merged), adapted)).toBeLessThan(1e-5);
    expect(relativeError(await logitsOf(base), adapted)).toBeGreaterThan(0.1);
  });

  it("are trained alone, with exact gradients from enough tangents", async () => {
    const { model, parameters } = adaptModel(base, { rank: 2, target: (name) => name.startsWith("layer1") });
    const trainable = (name: string) => parameters.includes(name);
    const objective = await compileObjective({ model, loss: crossEntropy(), runtime, batch, trainable });
    expect(Object.keys(objective.parameters)).toEqual(parameters);
    const feeds = { ...trainedValues(model, parameters), input, labels: int64([0, 3, 1]) };
    const key = keyFromSeed(1);
    const exact = (await (await exactGradient(objective)).estimate(feeds, key)).gradients;
    // A site of 5 numbers for activations; 2·(6 + 5) parameters for weights.
    for (const settings of [
      { perturb: "activations", tangents: 8 },
      { perturb: "weights", tangents: 22 },
      { perturb: "weights", tangents: 22, sampler: "rademacher" },
    ] as const) {
      const estimator = await createEstimator(objective, settings);
      const { gradients } = await estimator.estimate(feeds, key);
      for (const name of parameters)
        expect(relativeError(gradients[name] ?? [], exact[name] ?? []), name).toBeLessThan(1e-3);
    }
  });

  it("refuse a rank that a matrix does not have, and a model without chosen matrices", () => {
    expect(() => adaptModel(base, { rank: 5 })).toThrow(
      /rank of an adapter of 'layer2.weight' \[4, 5\] must be a whole number from 1 to 4, received 5; lower it \(adapter\.rank\)/,
    );
    expect(() => adaptModel(base, { rank: 1, target: () => false })).toThrow(
      "there are 'layer1.weight', 'layer2.weight'",
    );
    expect(() => adaptModel(adaptModel(base, { rank: 1 }).model, { rank: 1 })).toThrow(
      "has adapters already",
    );
  });
});
