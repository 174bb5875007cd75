/** Metrics of the validation examples at each epoch, and runs that stop on one of them. */
import { describe, expect, it } from "vitest";
import { splitValidation } from "../src/data/batches.ts";
import { crossEntropy } from "../src/losses/cross-entropy.ts";
import { mlp } from "../src/models/mlp.ts";
import { decodeModel } from "../src/onnx/decode.ts";
import { streamKey } from "../src/random/streams.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import { memoryStore } from "../src/storage/memory-store.ts";
import { evaluateModel } from "../src/train/evaluation/evaluate-model.ts";
import type { TrainEvent } from "../src/train/events.ts";
import type { TrainOptions } from "../src/train/settings/options.ts";
import { train } from "../src/train/train.ts";

const runtime = nodeRuntime({ threads: 1 });
// Two noisy rings, of which one class is rare.
const count = 120;
const inputs = Float32Array.from({ length: 2 * count }, (_, index) => {
  const example = index >> 1;
  const radius = example % 4 === 0 ? 2 : 1;
  return (radius + 0.6 * Math.sin(77 * example)) * (index % 2 ? Math.sin(example) : Math.cos(example));
});
const classes = Int32Array.from({ length: count }, (_, example) => (example % 4 === 0 ? 1 : 0));
const examples = { count, shape: [2], inputs, labels: classes };
const base = {
  ...{ model: mlp({ input: [2], hidden: [8], outputs: 2 }), examples, runtime, batch: 20, validation: 40 },
  ...{ epochs: 12, learningRate: 0.5, seed: 1 },
};
async function run(options: Partial<TrainOptions>) {
  const epochs: (TrainEvent & { kind: "epoch" })[] = [];
  let done: (TrainEvent & { kind: "done" }) | undefined;
  for await (const event of train({ ...base, ...options })) {
    if (event.kind === "epoch") epochs.push(event);
    if (event.kind === "done") done = event;
  }
  if (!done) throw new Error("The run did not end.");
  return { epochs, done };
}

describe("a kept run", () => {
  it("has at each epoch what evaluateModel says of the same examples, and computes the same as one without", async () => {
    const store = memoryStore();
    const { epochs, done } = await run({ store });
    const { validation } = splitValidation(count, 40, streamKey(1, "split"));
    const model = decodeModel(done.model);
    const last = await evaluateModel({
      ...{ model, parameters: {}, examples, indices: validation, loss: crossEntropy(), runtime },
    });
    const { macroF1, balancedAccuracy, rocAuc } = last.classification ?? {};
    expect(epochs.at(-1)?.validation).toEqual({
      ...{ loss: last.loss, accuracy: last.accuracy, macroF1, balancedAccuracy, rocAuc },
    });
    const text = new TextDecoder().decode(await store.read("metrics.jsonl"));
    const lines = text
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines.filter(({ kind }) => kind === "epoch").map(({ validation }) => validation)).toEqual(
      epochs.map(({ validation }) => validation),
    );
    const without = await run({});
    expect(without.epochs[0]?.validation).toBeUndefined();
    expect(without.done.model).toEqual(done.model);
  });

  it("has errors of values", async () => {
    const labels = Float32Array.from(classes, (value, example) => value + 0.1 * Math.sin(example));
    const { epochs } = await run({
      ...{ model: mlp({ input: [2], hidden: [8], outputs: 1 }), examples: { ...examples, labels } },
      ...{ loss: "mean-squared-error", store: memoryStore(), learningRate: 0.05, epochs: 2 },
    });
    const found = epochs.at(-1)?.validation ?? {};
    expect(Object.keys(found).sort()).toEqual(["loss", "meanAbsoluteError", "r2", "rootMeanSquaredError"]);
    expect(found.rootMeanSquaredError).toBeGreaterThanOrEqual(found.meanAbsoluteError ?? 0);
  });
});

describe("early stopping", () => {
  const best = (values: readonly number[]) => values.indexOf(Math.max(...values));

  it("waits for any of the metrics, and keeps the parameters of the best epoch", async () => {
    const all = await run({ store: memoryStore(), epochs: 40, learningRate: 2 });
    const scores = all.epochs.map(({ validation }) => validation?.macroF1 ?? 0);
    const { epochs, done } = await run({
      epochs: 40,
      learningRate: 2,
      patience: { epochs: 4, on: "macroF1" },
    });
    expect(epochs.map(({ validation }) => validation?.macroF1)).toEqual(scores.slice(0, epochs.length));
    const at = best(scores.slice(0, epochs.length));
    expect(epochs.length).toBeLessThan(40);
    expect(epochs.length - 1 - at).toBe(4);
    expect(done.result.bestStep).toBe(epochs[at]?.step);
    expect(done.result.validationAccuracy).toBe(epochs[at]?.validationAccuracy);
  });

  it("waits for a metric of one's own, of which the larger is better", async () => {
    const seen: number[] = [];
    const recall = ({ classification }: { classification?: { classes: readonly { recall?: number }[] } }) => {
      seen.push(classification?.classes[1]?.recall ?? 0);
      return seen.at(-1) ?? 0;
    };
    const { done, epochs } = await run({
      epochs: 30,
      learningRate: 2,
      patience: { epochs: 3, on: recall as never },
    });
    expect(seen).toHaveLength(epochs.length);
    expect(done.result.bestStep).toBe(epochs[best(seen)]?.step);
  });

  it("goes on with --resume as it would have, and refuses another metric", async () => {
    const whole = await run({ store: memoryStore(), patience: { epochs: 3, on: "rocAuc" } });
    const store = memoryStore();
    const stop = new AbortController();
    const options = { store, patience: { epochs: 3, on: "rocAuc" } as const };
    for await (const event of train({ ...base, ...options, signal: stop.signal }))
      if (event.kind === "epoch") stop.abort();
    await expect(run({ store, resume: true, patience: 3 })).rejects.toThrow(/patience/);
    const { done } = await run({ ...options, resume: true });
    expect(done.model).toEqual(whole.done.model);
    expect(done.result.bestStep).toBe(whole.done.result.bestStep);
  });

  it("says what there is where a metric is missing, or nobody says how long", async () => {
    await expect(run({ patience: { epochs: 2, on: "r2" } })).rejects.toThrow(
      "is no metric of these validation examples; they have loss, accuracy, macroF1",
    );
    await expect(run({ patience: { on: "accuracy" } })).rejects.toThrow("needs patience.epochs");
    await expect(run({ patience: { epochs: 2, on: "accurracy" as never } })).rejects.toThrow('"accuracy"');
  });
});
