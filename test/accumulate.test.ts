/** Steps that are computed in parts: their update is that of the whole batch. */
import { describe, expect, it } from "vitest";
import { momentum } from "../src/guess/momentum.ts";
import { mlp } from "../src/models/mlp.ts";
import { decodeModel } from "../src/onnx/decode.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import { memoryStore } from "../src/storage/memory-store.ts";
import { previewTraining } from "../src/train/run-plan.ts";
import type { TrainOptions } from "../src/train/settings/options.ts";
import { train } from "../src/train/train.ts";

const runtime = nodeRuntime({ threads: 1 });
const count = 48;
const inputs = Float32Array.from({ length: 5 * count }, (_, at) => Math.sin(at * 1.7));
// Parts in which unequally many labels count.
const labels = Int32Array.from({ length: count }, (_, at) =>
  at % 7 < 2 ? -100 : Number((inputs[5 * at] ?? 0) > 0) + Number((inputs[5 * at + 1] ?? 0) > 0),
);
const examples = { count, shape: [5], inputs, labels };
const base = {
  model: mlp({ input: [5], hidden: [12, 9], outputs: 3, activation: "tanh" }),
  ...{ examples, runtime, validation: 0, learningRate: 1, steps: 4, tangents: 4, seed: 5 },
};

async function run(options: Partial<TrainOptions>) {
  const losses: number[] = [];
  for await (const event of train({ ...base, ...options })) {
    if (event.kind === "step") losses.push(event.loss);
    if (event.kind !== "done") continue;
    const stored = [...decodeModel(event.model).initializers].map(
      ([name, { data }]) => [name, Array.from(data, Number)] as const,
    );
    return {
      losses,
      bytes: event.model,
      weights: stored.flatMap(([, values]) => values),
      result: event.result,
    };
  }
  throw new Error("The run did not end.");
}

/** The largest difference of two lists of numbers. */
const distance = (a: readonly number[], b: readonly number[]) =>
  Math.max(...a.map((value, at) => Math.abs(value - (b[at] as number))));

describe("a step in parts moves the parameters as the whole batch does", () => {
  const ways: readonly (readonly [string, Partial<TrainOptions>])[] = [
    ["exact", { gradient: "exact", tangents: undefined }],
    [
      "exact, Adam and a longest gradient",
      { gradient: "exact", tangents: undefined, optimizer: "adam", learningRate: 0.01, clip: 0.5 },
    ],
    ["weights", { perturb: "weights" }],
    ["weights, drawn again", { perturb: "weights", lowMemory: true }],
    ["weights, summed", { perturb: "weights", aggregate: "sum", learningRate: 0.05 }],
    ["weights, low-rank", { perturb: "weights", sampler: "low-rank" }],
    ["weights with a guess", { perturb: { name: "weights", guess: momentum() } }],
    ["weights, simulated", { perturb: "weights", gradient: "simulated" }],
    ["activations", { perturb: { name: "activations", guess: "none" } }],
    ["activations on the sphere", { perturb: { name: "activations", guess: "none" }, sampler: "sphere" }],
    ["activations, orthonormal", { perturb: { name: "activations", guess: "none" }, sampler: "orthonormal" }],
    ["activations, drawn again", { perturb: { name: "activations", guess: "none" }, lowMemory: true }],
    [
      "activations on the sphere, drawn again",
      { perturb: { name: "activations", guess: "none" }, sampler: "sphere", lowMemory: true },
    ],
    ["activations, shared", { perturb: { name: "activations", guess: "none", shareTangents: true } }],
    ["blocks", { perturb: { name: "blocks", guess: "none" } }],
  ];
  it.each(ways)("%s", async (_, options) => {
    const whole = await run({ ...options, batch: 24 });
    const start = await run({ ...options, batch: 24, steps: 0 });
    for (const accumulate of [2, 6]) {
      const parts = await run({ ...options, batch: { size: 24, accumulate } });
      expect(distance(parts.losses, whole.losses)).toBeLessThan(5e-5);
      expect(distance(parts.weights, whole.weights)).toBeLessThan(5e-5);
    }
    expect(distance(start.weights, whole.weights)).toBeGreaterThan(4e-3);
  });
});

describe("steps in parts", () => {
  it("teach the default guess, and go on after an interruption as one run", async () => {
    const options = { batch: { size: 16, accumulate: 4 }, epochs: 6, steps: undefined, checkpointSeconds: 0 };
    const whole = await run({ ...options, store: memoryStore() });
    expect(whole.losses).toHaveLength(18);
    const [before = 0, after = 0] = [whole.losses[0], whole.losses.at(-1)];
    expect(after).toBeLessThan(before);
    const store = memoryStore();
    const controller = new AbortController();
    for await (const event of train({ ...base, ...options, store, signal: controller.signal }))
      if (event.kind === "step" && event.step === 7) controller.abort();
    const resumed = await run({ ...options, store, resume: true });
    expect(resumed.bytes).toEqual(whole.bytes);
    await expect(run({ ...options, batch: 16, store, resume: true })).rejects.toThrow(
      "batch.accumulate was 4, now 1",
    );
  });

  it("have the default rate, the epochs and the end's measurements of their whole batch", async () => {
    const settings = { batch: 24, learningRate: undefined, steps: undefined, perturb: "weights" } as const;
    const whole = await previewTraining({ ...base, ...settings });
    const parts = await previewTraining({ ...base, ...settings, batch: { size: 24, accumulate: 3 } });
    expect([parts.learningRate, parts.steps]).toEqual([whole.learningRate, whole.steps]);
    expect(parts.config).toEqual({ ...whole.config, batch: { size: 24, accumulate: 3 } });
    const measured = await run({ batch: { size: 24, accumulate: 3 }, quality: { draws: 3 } });
    expect(measured.result.cosine).toBeGreaterThan(0);
  });

  it("are told from those of runs whose batch was a number alone", async () => {
    const store = memoryStore();
    const { result } = await run({ batch: 24, store });
    const config = JSON.parse(new TextDecoder().decode(await store.read("config.json"))) as Record<
      string,
      unknown
    >;
    expect(config.batch).toEqual({ size: 24, accumulate: 1 });
    await store.write("config.json", new TextEncoder().encode(JSON.stringify({ ...config, batch: 24 })));
    const again = await run({ batch: { size: 24 }, store, resume: true });
    expect(again.result.trainLoss).toBe(result.trainLoss);
    const other = run({ batch: { size: 24, accumulate: 2 }, store, resume: true });
    await expect(other).rejects.toThrow("batch");
  });

  it("say what does not go with them", async () => {
    const preview = (options: Partial<TrainOptions>) =>
      expect(previewTraining({ ...base, ...options })).rejects;
    const batch = { size: 24, accumulate: 3 };
    await preview({ batch: { size: 25, accumulate: 3 } }).toThrow(
      "batch.accumulate: 3 makes no parts of equal size of batch.size: 25; choose a size that it divides (batch.size: 27)",
    );
    await preview({ batch, gradient: "law", perturb: "weights" }).toThrow(
      /batch.accumulate does not go with gradient: "law"/,
    );
    await preview({ batch, quality: { every: 2 } }).toThrow("does not go with quality.every: 2");
    await preview({ batch: { accumulate: 0 } }).toThrow(
      "batch.accumulate must be a whole number from 1, received 0",
    );
    await preview({ batch: 0 }).toThrow(
      "batch must be a whole number from 1, or an object of size, accumulate, sampling and local steps",
    );
    await preview({ batch: { size: 96, accumulate: 96 } }).toThrow("fewer than one batch of 96");
  });
});
