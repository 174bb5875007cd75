/** The guess of runs that name none: feedback where it applies, none where not, and what earlier runs began with. */
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { glyphs } from "../src/data/sets/glyphs.ts";
import { crossEntropy } from "../src/losses/cross-entropy.ts";
import { mlp } from "../src/models/mlp.ts";
import { vit } from "../src/models/vit.ts";
import { compileObjective } from "../src/objective/compile-objective.ts";
import { float32, int64 } from "../src/onnx/tensor.ts";
import { keyFromSeed } from "../src/random/threefry.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import { searchLearningRate } from "../src/search/search.ts";
import { memoryStore } from "../src/storage/memory-store.ts";
import { runFolder } from "../src/storage/node-run-folder.ts";
import type { TrainEvent } from "../src/train/events.ts";
import { createEstimator } from "../src/train/settings/estimator.ts";
import type { TrainOptions } from "../src/train/settings/options.ts";
import { train } from "../src/train/train.ts";
import { temporaryFolder } from "./cli.ts";

const runtime = nodeRuntime({ threads: 1 });
const inputs = Float32Array.from({ length: 1280 }, (_, index) => (((index + 1) * 0.7548776662) % 1) * 2 - 1);
const labels = Int32Array.from({ length: 640 }, (_, index) =>
  Math.hypot(inputs[2 * index] as number, inputs[2 * index + 1] as number) < 0.8 ? 1 : 0,
);
/** As in test/cases/run-without-guess/make.mjs. */
const base = {
  ...{ examples: { inputs, labels }, runtime, batch: 32, steps: 60 },
  model: mlp({ input: [2], hidden: [12], outputs: 2, activation: "tanh", seed: 1 }),
};

/** The start, the trained model, and the configuration where it is kept. */
async function trained(given: Partial<TrainOptions> = {}) {
  let start: (TrainEvent & { kind: "start" }) | undefined;
  let model: Uint8Array | undefined;
  for await (const event of train({ ...base, ...given })) {
    if (event.kind === "start") start = event;
    if (event.kind === "done") model = event.model;
  }
  return { start, model, notes: start?.notes.map(({ message }) => message) ?? [] };
}

const guessIn = (config: string) => (JSON.parse(config) as { perturb: { guess?: unknown } }).perturb.guess;

describe("a run that names no guess", () => {
  it.each(["activations", "blocks"] as const)("has feedback at %s, and keeps that", async (perturb) => {
    const store = memoryStore();
    const { start, model, notes } = await trained({ perturb, store });
    const named = await trained({ perturb: { name: perturb as "blocks", guess: "feedback" } });
    expect(start).toMatchObject({ guess: "feedback", learningRate: named.start?.learningRate });
    expect(notes).toEqual([]);
    expect(model).toEqual(named.model);
    expect(guessIn(new TextDecoder().decode(store.files.get("config.json")))).toEqual({
      name: "feedback",
      gamma: 1,
      signal: null,
      reduce: null,
      sketch: null,
    });
  });

  it("trains otherwise than without a guess", async () => {
    const none = await trained({ perturb: { name: "activations", guess: "none" } });
    expect(none.start).toMatchObject({ guess: undefined });
    expect(none.notes).toEqual([]);
    expect((await trained()).model).not.toEqual(none.model);
  });

  it("has none at weights", async () => {
    const { start, notes } = await trained({ perturb: "weights", steps: 2 });
    expect(start).toMatchObject({ guess: undefined });
    expect(notes).toEqual([]);
  });

  it.each<[string, Partial<TrainOptions>, RegExp]>([
    ["estimates are drawn", { gradient: "law" }, /because gradient: "law" measures nothing/],
    ["tangents are averaged", { aggregate: "mean" }, /because aggregate: "mean" scales estimates/],
    [
      "one layer is trained",
      { trainable: (name) => name.startsWith("layer2.") },
      /because the one layer that is trained lies right before the loss/,
    ],
    [
      "the model is one block",
      { perturb: "blocks", model: mlp({ input: [2], hidden: [], outputs: 2 }) },
      /because the one layer/,
    ],
  ])("has none where %s, says so, and is the run without a guess", async (_, given, why) => {
    const { perturb = "activations" } = given;
    const { start, model, notes } = await trained({ ...given, steps: 10 });
    expect(start?.guess).toBeUndefined();
    expect(notes.join("\n")).toMatch(/^Nothing is foreseen of the gradient \(guess: "none"\), because/);
    expect(notes.join("\n")).toMatch(why);
    const none = await trained({
      ...given,
      perturb: { name: perturb as "blocks", guess: "none" },
      steps: 10,
    });
    expect(none.notes).toEqual([]);
    expect(model).toEqual(none.model);
  });
});

it("a deep residual network, whose Jacobians are too large, is told of residual", async () => {
  const { train: examples } = glyphs({ train: 8, test: 1 });
  const model = vit({ input: [1, 28, 28], outputs: 10 });
  for await (const event of train({ model, examples, runtime, batch: 4, steps: 1 })) {
    if (event.kind !== "start") continue;
    const [why, instead] = event.notes.map(({ message }) => message);
    expect(why).toMatch(/^Nothing is foreseen .* more memory than the parameters\.$/);
    expect(instead).toMatch(/^This model is a residual network .*: perturb: "blocks" guess: "residual"/);
    break;
  }
  expect.assertions(2);
});

it("single estimates start from nothing, where no guess is named", async () => {
  const objective = await compileObjective({ model: base.model, loss: crossEntropy(), runtime, batch: 4 });
  const feeds = {
    ...objective.parameters,
    input: float32([...inputs.subarray(0, 8)], [4, 2]),
    labels: int64([0, 1, 1, 0]),
  };
  const estimates = [];
  for (const perturb of ["activations", { name: "activations", guess: "none" }] as const) {
    const estimator = await createEstimator(objective, { perturb, tangents: 3 });
    expect(estimator.init).toBeUndefined();
    estimates.push((await estimator.estimate(feeds, keyFromSeed(5))).gradients);
    await estimator.release();
  }
  expect(estimates[0]).toEqual(estimates[1]);
});

describe("a run of before there was a default guess", () => {
  const old = resolve(import.meta.dirname, "cases/run-without-guess");

  /** A copy of the old run, whose configuration names today's engine and model bytes, which may change. */
  async function copyOf(change: (config: { perturb: { guess?: unknown } }) => void = () => {}) {
    const folder = join(temporaryFolder(), "run");
    await trained({ store: runFolder(folder), steps: 60, perturb: { name: "activations", guess: "none" } });
    const today = JSON.parse(readFileSync(join(folder, "config.json"), "utf8"));
    const kept = JSON.parse(readFileSync(join(old, "config.json"), "utf8"));
    const { model, runtime: engine } = today;
    // A batch had no parts then, and a loss no weights of classes. Nothing else of a description changed.
    const { classWeights, ...loss } = today.loss;
    expect([classWeights, today.batch.accumulate]).toEqual([null, 1]);
    expect({ ...kept, model, runtime: engine }).toEqual({ ...today, batch: today.batch.size, loss });
    change(kept);
    cpSync(join(old, "checkpoint"), join(folder, "checkpoint"), { recursive: true });
    cpSync(join(old, "metrics.jsonl"), join(folder, "metrics.jsonl"));
    const bytes = JSON.stringify({ ...kept, model, runtime: engine });
    writeFileSync(join(folder, "config.json"), bytes);
    return { folder, store: runFolder(folder) };
  }

  it.each<[string, unknown, (config: { perturb: { guess?: unknown } }) => void]>([
    ["with the guess none", { name: "none" }, () => {}],
    ["without a guess", undefined, ({ perturb }) => Reflect.deleteProperty(perturb, "guess")],
  ])("whose configuration is %s goes on as it began", async (_, guess, change) => {
    const { folder, store } = await copyOf(change);
    const { start, model, notes } = await trained({ store, resume: true });
    expect(start).toMatchObject({ step: 20, guess: undefined });
    expect(notes).toEqual(['The run began without a guess, and goes on so (guess: "none").']);
    expect(guessIn(readFileSync(join(folder, "config.json"), "utf8"))).toEqual(guess);
    const whole = await trained({ perturb: { name: "activations", guess: "none" } });
    expect(model?.length).toBe(whole.model?.length);
  });

  it("refuses a guess that is asked for", async () => {
    const { store } = await copyOf();
    const asked = { store, resume: true, perturb: { name: "activations", guess: "feedback" } } as const;
    await expect(trained(asked)).rejects.toThrow(/perturb\.guess was none, now feedback/);
  });

  it("goes on from any step with the bytes of a whole one", async () => {
    const none = { perturb: { name: "activations", guess: "none" } } as const;
    const whole = await trained(none);
    const store = memoryStore();
    const stop = new AbortController();
    for await (const event of train({ ...base, ...none, store, signal: stop.signal }))
      if (event.kind === "step" && event.step === 20) stop.abort();
    expect((await trained({ store, resume: true })).model).toEqual(whole.model);
  });

  it("may be a search, whose other trials have none either", async () => {
    const search = { ...base, steps: 4, evaluations: 2, rungs: 1, lowest: 0.01, highest: 1 };
    const none = { perturb: { name: "activations", guess: "none" } } as const;
    const losses = async (given: Partial<TrainOptions>, isStopped = false) => {
      const stop = new AbortController();
      for await (const event of searchLearningRate({ ...search, ...given, signal: stop.signal })) {
        if (event.kind === "trial" && isStopped) stop.abort();
        if (event.kind === "done") return event.result.trials.map(({ validationLoss }) => validationLoss);
      }
      return undefined;
    };
    const store = memoryStore();
    expect(await losses({ store, ...none }, true)).toBeUndefined();
    const whole = await losses(none);
    expect(await losses({ store, resume: true })).toEqual(whole);
    expect(await losses({})).not.toEqual(whole);
  });
});
