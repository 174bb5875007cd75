/** Epochs whose examples are drawn by their class. */
import { describe, expect, it } from "vitest";
import { mlp } from "../src/models/mlp.ts";
import { encodeModelFile, modelFrom } from "../src/objective/importing/model-file.ts";
import { keyFromSeed } from "../src/random/threefry.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import { memoryStore } from "../src/storage/memory-store.ts";
import { weightedOrder } from "../src/train/batches/weighted-order.ts";
import type { TrainOptions } from "../src/train/settings/options.ts";
import { train } from "../src/train/train.ts";

const count = 4000;
const inputs = Float32Array.from({ length: 2 * count }, (_, at) => Math.sin(at));
// One of ten is of class 1.
const labels = Int32Array.from({ length: count }, (_, at) => (at % 10 === 0 ? 1 : 0));
const examples = { count, shape: [2], inputs, labels };
const file = encodeModelFile(mlp({ input: [2], hidden: [4], outputs: 2 }));
const model = await modelFrom(file);
const all = Uint32Array.from({ length: count }, (_, at) => at);
const rare = (drawn: Uint32Array) =>
  drawn.reduce((sum, index) => sum + (labels[index] as number), 0) / drawn.length;

describe("sampling by class", () => {
  it("draws classes in proportion, as a function of key and epoch", () => {
    const order = weightedOrder(examples, "balanced", model);
    const first = order(all, keyFromSeed(1), 0);
    expect(first).toHaveLength(count);
    // Four standard errors of a share of a half.
    expect(Math.abs(rare(first) - 0.5)).toBeLessThan(2 / Math.sqrt(count));
    expect(order(all, keyFromSeed(1), 0)).toEqual(first);
    expect(order(all, keyFromSeed(1), 1)).not.toEqual(first);
    const tripled = rare(weightedOrder(examples, { 1: 3 }, model)(all, keyFromSeed(1), 0));
    expect(Math.abs(tripled - 0.3 / 1.2)).toBeLessThan(2 / Math.sqrt(count));
    expect(rare(weightedOrder(examples, { 0: 0 }, model)(all, keyFromSeed(1), 0))).toBe(1);
  });

  it("counts the examples to train on alone", () => {
    // All of class 0 and 8 of the 400 of class 1, which are half of what is drawn all the same.
    const kept = all.filter((index) => labels[index] === 0 || index < 80);
    expect(kept).toHaveLength(3608);
    const drawn = weightedOrder(examples, "balanced", model)(kept, keyFromSeed(1), 0);
    expect(Math.abs(rare(drawn) - 0.5)).toBeLessThan(2 / Math.sqrt(kept.length));
  });

  it("draws examples of several labels by what these say in the mean", () => {
    // Words: one of ten examples has a rare one among its three.
    const words = Int32Array.from({ length: 3 * count }, (_, at) =>
      at % 30 === 0 ? 1 : at % 3 === 2 ? -100 : 0,
    );
    const drawn = weightedOrder({ ...examples, labels: words }, { 1: 9 }, model)(all, keyFromSeed(1), 0);
    // (9 + 1) / 2 = 5 times as often as another.
    const share = drawn.filter((index) => index % 10 === 0).length / count;
    expect(Math.abs(share - 0.5 / 1.4)).toBeLessThan(2 / Math.sqrt(count));
  });

  it("goes on after an interruption as one run", async () => {
    const base = {
      model: file,
      examples,
      runtime: nodeRuntime({ threads: 1 }),
      batch: { size: 500, sampling: "balanced" },
      epochs: 2,
    } as const;
    const last = async (options: Partial<TrainOptions>, stopAt?: number) => {
      const controller = new AbortController();
      let bytes: Uint8Array | undefined;
      for await (const event of train({ ...base, ...options, signal: controller.signal })) {
        if (event.kind === "step" && event.step === stopAt) controller.abort();
        if (event.kind === "done") bytes = event.model;
      }
      return bytes;
    };
    const whole = await last({ store: memoryStore() });
    const store = memoryStore();
    expect(await last({ store }, 9)).toBeUndefined();
    expect(await last({ store, resume: true })).toEqual(whole);
    expect(await last({ batch: 500 })).not.toEqual(whole);
  });

  it("is refused where it names no class", async () => {
    expect(() => weightedOrder(examples, { cat: 1 }, model)).toThrow(
      "batch.sampling names 'cat', which is no class",
    );
    const none = weightedOrder(examples, { 0: 0, 1: 0 }, model);
    expect(() => none(all, keyFromSeed(1), 0)).toThrow("leaves no example to train on");
    expect(() =>
      weightedOrder(
        { ...examples, labels: Float32Array.from({ length: 2 * count }, (_, at) => at) },
        "balanced",
        model,
      ),
    ).toThrow("other numbers to predict");
    const prices = Float32Array.from({ length: count }, (_, at) => at / 2);
    expect(() => weightedOrder({ ...examples, labels: prices }, "balanced", model)).toThrow(
      "other numbers to predict",
    );
    const truths = { ...examples, labels: Float32Array.from(labels) };
    expect(weightedOrder(truths, "balanced", model)(all, keyFromSeed(1), 0)).toEqual(
      weightedOrder(examples, "balanced", model)(all, keyFromSeed(1), 0),
    );
  });
});
