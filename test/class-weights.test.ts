/** Losses in which classes weigh differently, held to PyTorch's `weight`. */
import { describe, expect, it } from "vitest";
import { splitValidation } from "../src/data/batches.ts";
import { exactGradient } from "../src/estimate/exact.ts";
import { crossEntropy } from "../src/losses/cross-entropy.ts";
import { attachLoss } from "../src/losses/loss.ts";
import { mlp } from "../src/models/mlp.ts";
import { encodeModelFile } from "../src/objective/importing/model-file.ts";
import { graphObjective } from "../src/objective/objective.ts";
import { decodeModel } from "../src/onnx/decode.ts";
import { float32, int64 } from "../src/onnx/tensor.ts";
import { GraphBuilder } from "../src/ops/builder.ts";
import { streamKey } from "../src/random/streams.ts";
import { keyFromSeed } from "../src/random/threefry.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import { evaluateModel } from "../src/train/evaluation/evaluate-model.ts";
import { previewTraining } from "../src/train/run-plan.ts";
import type { TrainOptions } from "../src/train/settings/options.ts";
import { train } from "../src/train/train.ts";
import golden from "./goldens/class-weights.golden.json" with { type: "json" };

const runtime = nodeRuntime({ threads: 1 });

describe("weights of classes", () => {
  it.each(Object.entries(golden.cases))("give PyTorch's loss and gradient: %s", async (_, known) => {
    const { shape, logits, labels, smoothing, loss, gradient } = known;
    const g = new GraphBuilder("logits");
    const z = g.parameter("z", float32(logits, shape));
    const weighted = crossEntropy({ smoothing, classWeights: golden.weights, classAxis: 1 });
    const objective = graphObjective(attachLoss(g.build({ logits: z }), weighted, "logits"), runtime);
    const feeds = { ...objective.parameters, labels: int64(labels, shape.toSpliced(1, 1)) };
    const estimator = await exactGradient(objective);
    const found = await estimator.estimate(feeds, keyFromSeed(0));
    expect(found.loss).toBeCloseTo(loss, 5);
    for (const [at, value] of (found.gradients.z ?? []).entries())
      expect(Math.abs(value - (gradient[at] as number))).toBeLessThan(1e-6);
    await estimator.release();
  });

  const inputs = Float32Array.from({ length: 120 }, (_, at) => Math.sin(at * 2.3));
  // One of ten is of class 1.
  const labels = Int32Array.from({ length: 60 }, (_, at) => (at % 10 === 0 ? 1 : 0));
  const examples = { count: 60, shape: [2], inputs, labels };
  const model = encodeModelFile(mlp({ input: [2], hidden: [4], outputs: 2 }));
  const base = { model, examples, runtime, batch: 20, steps: 2, validation: 0, test: examples };
  const run = async (loss: TrainOptions["loss"], options: Partial<TrainOptions> = {}) => {
    for await (const event of train({ ...base, ...options, loss })) if (event.kind === "done") return event;
    throw new Error("The run did not end.");
  };

  it("are balanced by the data that are trained on, or given by class, and are the same run", async () => {
    const list = await run(crossEntropy({ classWeights: [60 / (2 * 54), 60 / (2 * 6)] }));
    const balanced = await run({ name: "cross-entropy", classWeights: "balanced" });
    expect(balanced.model).toEqual(list.model);
    expect(balanced.result.testLoss).toBe(list.result.testLoss);
    // Without the examples that are set aside.
    const held = await previewTraining({
      ...base,
      validation: 30,
      loss: { name: "cross-entropy", classWeights: "balanced" },
    });
    const { train: indices } = splitValidation(60, 30, streamKey(0, "split"));
    const rare = indices.filter((index) => labels[index] === 1).length;
    expect(rare).not.toBe(3);
    expect(held.config.loss).toMatchObject({ classWeights: [30 / (2 * (30 - rare)), 30 / (2 * rare)] });
    const byNumber = await run(crossEntropy({ classWeights: { 1: 5 } }));
    expect(byNumber.model).toEqual((await run(crossEntropy({ classWeights: [1, 5] }))).model);
    expect(byNumber.model).not.toEqual(list.model);
    const { config } = await previewTraining({ ...base, loss: crossEntropy({ classWeights: { 1: 5 } }) });
    expect(config.loss).toMatchObject({ name: "cross-entropy", classWeights: [1, 5] });
    const parts = await run(crossEntropy({ classWeights: [1, 5] }), {
      batch: { size: 20, accumulate: 4 },
      gradient: "exact",
    });
    const whole = await run(crossEntropy({ classWeights: [1, 5] }), { gradient: "exact" });
    expect(parts.result.testLoss).toBeCloseTo(whole.result.testLoss as number, 5);
  });

  it("weigh the loss of an evaluation, and no other score", async () => {
    const measure = (loss: ReturnType<typeof crossEntropy>) =>
      evaluateModel({ model: decodeModel(model), parameters: {}, examples, loss, runtime });
    const plain = await measure(crossEntropy());
    const same = await measure(crossEntropy({ classWeights: [2, 2] }));
    expect(same.loss).toBeCloseTo(plain.loss, 6);
    const weighted = await measure(crossEntropy({ classWeights: "balanced" }));
    expect(weighted).toMatchObject({
      accuracy: plain.accuracy,
      counted: 60,
      classification: plain.classification,
    });
    const rare = await measure(crossEntropy({ classWeights: [0, 1] }));
    const frequent = await measure(crossEntropy({ classWeights: [1, 0] }));
    // Both classes weigh the same in sum.
    expect(weighted.loss).toBeCloseTo((rare.loss + frequent.loss) / 2, 6);
  });

  it("are refused where they fit no class", async () => {
    await expect(run(crossEntropy({ classWeights: [1, 2, 3] }))).rejects.toThrow(
      /are 3 numbers, and the output has 2 classes/,
    );
    await expect(run(crossEntropy({ classWeights: { cat: 2 } }))).rejects.toThrow(
      "names 'cat', which is no class",
    );
    expect(() => crossEntropy({ classWeights: [0, 0] })).toThrow("loss.classWeights must be numbers by name");
    expect(() => crossEntropy({ classWeights: { 1: -1 } })).toThrow("loss.classWeights must be");
    expect(() => crossEntropy({ classWeights: "balance" as never })).toThrow('Did you mean "balanced"?');
  });
});
