import { describe, expect, it } from "vitest";
import { exactGradient } from "../src/estimate/exact.ts";
import { crossEntropy } from "../src/losses/cross-entropy.ts";
import { compileObjective } from "../src/objective/compile-objective.ts";
import { drawMasks, maskTensors } from "../src/objective/dropout.ts";
import { decodeModel } from "../src/onnx/decode.ts";
import { elementCount, float32, int64, type Tensor, tensorOf } from "../src/onnx/tensor.ts";
import { GraphBuilder } from "../src/ops/full-builder.ts";
import { fold, keyFromSeed } from "../src/random/threefry.ts";
import { evaluate } from "../src/runtime/evaluate.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import { createEstimator } from "../src/train/settings/estimator.ts";
import { train } from "../src/train/train.ts";
import { relativeError } from "./relative-error.ts";

const runtime = nodeRuntime({ threads: 1 });
const batch = 4;
const key = keyFromSeed(2);
const wave = (shape: readonly number[], offset: number) =>
  float32(
    Array.from({ length: elementCount(shape) }, (_, place) => Math.sin(1.3 * place + offset)),
    shape,
  );

/** Two layers with dropout between them, left in training mode. */
function dropping(ratio = 0.4) {
  const g = new GraphBuilder("dropping");
  const x = g.input("x", "float32", [batch, 3]);
  const hidden = g.tanh(g.matMul(x, g.parameter("first", wave([3, 6], 1))));
  const [dropped] = g.node(
    "Dropout",
    [hidden, g.constant(float32([ratio], [])), g.constant(tensorOf("bool", [1], []))],
    {},
    { name: "drop" },
  );
  return g.build({ logits: g.matMul(dropped, g.parameter("second", wave([6, 3], 2))) });
}

const inputs = Float32Array.from({ length: 24 * 3 }, (_, place) => Math.cos(place * 1.7));
const labels = Int32Array.from({ length: 24 }, (_, index) => index % 3);

async function trained(settings: Partial<Parameters<typeof train>[0]> = {}) {
  const options = {
    model: dropping(),
    examples: { inputs, labels },
    runtime,
    batch,
    epochs: 3,
    tangents: 6,
    ...settings,
  };
  for await (const event of train(options)) if (event.kind === "done") return event;
  throw new Error("the run did not end");
}

describe("dropout while training", () => {
  it("multiplies by masks that keep the mean, the same for the same key", () => {
    const mask = { name: "dropout/a", shape: [40_000], ratio: 0.3 };
    const tensors = maskTensors([mask]);
    drawMasks([mask], tensors, key);
    const { data } = tensors["dropout/a"] as Tensor & { readonly data: Float32Array };
    const first = data.slice();
    expect(new Set(first)).toEqual(new Set([0, Math.fround(1 / 0.7)]));
    // Standard error of the share of zeros: √(0.3·0.7/40,000) = 0.0023.
    const dropped = first.filter((value) => value === 0).length / first.length;
    expect(Math.abs(dropped - 0.3)).toBeLessThan(4 * 0.0023);
    drawMasks([mask], tensors, fold(key, 1));
    expect(data).not.toEqual(first);
    drawMasks([mask], tensors, key);
    expect(data).toEqual(first);
  });

  it("has the derivatives of the function with that mask", async () => {
    const objective = await compileObjective({ model: dropping(), loss: crossEntropy(), runtime, batch });
    expect(objective.masks).toEqual([
      { name: "dropout/drop", shape: [batch, 6], ratio: expect.closeTo(0.4) },
    ]);
    const masks = maskTensors(objective.masks ?? []);
    drawMasks(objective.masks ?? [], masks, key);
    const feeds: Record<string, Tensor> = {
      ...objective.parameters,
      ...masks,
      x: float32(inputs.slice(0, batch * 3), [batch, 3]),
      labels: int64([0, 1, 2, 0]),
    };
    const { gradients } = await (await exactGradient(objective)).estimate(feeds, key);
    const lossAt = async (distance: number) => {
      const second = feeds.second as Tensor;
      const moved = float32(
        Array.from(second.data as Float32Array, (value, place) => value + distance * Math.cos(place)),
        second.shape,
      );
      return Number((await evaluate(runtime, objective.graph, { ...feeds, second: moved })).loss?.data[0]);
    };
    const difference = ((await lossAt(1e-2)) - (await lossAt(-1e-2))) / 2e-2;
    const along = Array.from(gradients.second ?? []).reduce(
      (sum, value, place) => sum + value * Math.cos(place),
      0,
    );
    expect(along).toBeCloseTo(difference, 3);
    // Sites of 6 + 3 numbers, 36 parameters; chunks share the mask.
    for (const settings of [
      { tangents: 12 },
      { tangents: 12, lowMemory: true },
      { perturb: "weights", tangents: 36, tangentChunk: 10 },
    ] as const) {
      const estimator = await createEstimator(objective, settings);
      const estimate = await estimator.estimate(feeds, key);
      for (const [name, gradient] of Object.entries(estimate.gradients))
        expect(relativeError(gradient, gradients[name] ?? []), name).toBeLessThan(1e-3);
      await estimator.release();
    }
  });

  it("is a function of the seed, and off in the saved file", async () => {
    const first = await trained({ seed: 1 });
    expect((await trained({ seed: 1 })).model).toEqual(first.model);
    expect((await trained({ seed: 2 })).model).not.toEqual(first.model);
    const saved = decodeModel(first.model);
    expect(saved.nodes.find(({ op }) => op === "Dropout")?.inputs).toHaveLength(2);
    const session = await runtime.createSession(first.model);
    const x = float32(inputs.slice(0, batch * 3), [batch, 3]);
    const once = await session.run({ x });
    expect((await session.run({ x })).logits?.data).toEqual(once.logits?.data);
  });
});
