import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Dataset } from "../src/data/dataset.ts";
import { npzDataset } from "../src/data/files/npz.ts";
import { tableDataset } from "../src/data/files/table.ts";
import { crossEntropy } from "../src/losses/cross-entropy.ts";
import { meanSquaredError } from "../src/losses/mean-squared-error.ts";
import { mlp } from "../src/models/mlp.ts";
import { searchLearningRate } from "../src/search/search.ts";
import type { TrainEvent } from "../src/train/events.ts";
import type { TrainOptions } from "../src/train/settings/options.ts";
import { train } from "../src/train/train.ts";
import { examples, inputs, labels, memory, model, runtime } from "./circle.ts";
import { lastJson, run, temporaryFolder } from "./cli.ts";

const cases = join(import.meta.dirname, "cases/small-data");
const file = (name: string) => ({ name, bytes: new Uint8Array(readFileSync(join(cases, name))) });

/** The first and the last event of a run. */
async function ends(options: Partial<TrainOptions>) {
  const events: TrainEvent[] = [];
  for await (const event of train({ model, examples, runtime, ...options })) events.push(event);
  const [start, done] = [events[0], events.at(-1)];
  if (start?.kind !== "start" || done?.kind !== "done") throw new Error("The run did not end.");
  return { start, result: done.result };
}

describe("fewer examples than a batch", () => {
  for (const settings of [
    {},
    { perturb: "weights" },
    { gradient: "exact" },
    { perturb: { name: "activations", shareTangents: true } },
  ] as const)
    it.each([1, 2, 3, 40])(`are one batch: %i with ${JSON.stringify(settings)}`, async (count) => {
      const few = { examples: { inputs: inputs.slice(0, 2 * count), labels: labels.slice(0, count) } };
      const { start, result } = await ends({ ...few, ...settings, epochs: 3 });
      const left = count - Math.floor(count / 10);
      expect(start).toMatchObject({ batch: left, steps: 3 });
      expect(start.notes.map(String)).toEqual([expect.stringContaining("fewer than a batch of 64")]);
      expect(result.steps).toBe(3);
      expect(result.trainLoss).toBeGreaterThan(0);
    });

  it("leave a validation part of any size aside, and say how many are left", async () => {
    const few = { examples: { inputs: inputs.slice(0, 100), labels: labels.slice(0, 50) } };
    const { start, result } = await ends({ ...few, validation: 30, patience: 5, epochs: 4 });
    expect(start.batch).toBe(20);
    expect(start.notes.map(String)).toEqual([
      "20 examples are left to train on, after 30 were set aside for validation, fewer than a batch of 64: each step reads " +
        "all of them.",
    ]);
    expect(result.validationLoss).toBeGreaterThan(0);
    const enough = await ends({ steps: 1 });
    expect(enough.start).toMatchObject({ batch: 64, notes: [] });
    await expect(ends({ ...few, validation: 50 })).rejects.toThrow(/50 validation examples asked of 50/);
  });

  it("go on after an interruption as one run", async () => {
    const few = { examples: { inputs: inputs.slice(0, 40), labels: labels.slice(0, 20) }, epochs: 6 };
    const [whole, parts] = [memory(), memory()];
    await ends({ ...few, store: whole });
    const stop = new AbortController();
    for await (const event of train({ model, runtime, ...few, store: parts, signal: stop.signal }))
      if (event.kind === "step" && event.step === 2) stop.abort();
    await ends({ ...few, store: parts, resume: true });
    expect(parts.files.get("model.onnx")).toEqual(whole.files.get("model.onnx"));
  });

  const files: [string, () => Promise<Dataset>, Partial<TrainOptions>, number][] = [
    [
      "a table by pandas",
      async () => tableDataset(file("iris-24.csv"), { target: "species", targets: "classes" }),
      {},
      18,
    ],
    [
      "a table of values",
      async () => tableDataset(file("ice-6.csv"), { target: "ice", targets: "values" }),
      { learningRate: 0.05 },
      5,
    ],
    ["arrays by NumPy", () => npzDataset(file("nine.npz"), { targets: "classes" }), {}, 7],
  ];
  it.each(files)("of %s are learned", async (_, open, options, left) => {
    const dataset = await open();
    const { shape, labels: targets, count } = dataset.train;
    const network = mlp({
      input: shape,
      hidden: [16],
      outputs: dataset.classes || targets.length / count,
      normalization: dataset.normalization,
      targetNormalization: dataset.targetNormalization,
    });
    const scale = dataset.targetNormalization?.standardDeviation;
    const loss = scale === undefined ? crossEntropy() : meanSquaredError({ scale });
    const given = { model: network, examples: dataset.train, test: dataset.test, loss, ...options };
    const before = await ends({ ...given, epochs: 1 });
    const after = await ends({ ...given, epochs: 100 });
    expect(after.start.batch).toBe(left);
    expect(after.result.trainLoss).toBeLessThan(0.5 * before.result.trainLoss);
  });

  it("are told of by a search, too", async () => {
    const few = { examples: { inputs: inputs.slice(0, 60), labels: labels.slice(0, 30) } };
    for await (const event of searchLearningRate({ model, runtime, ...few, epochs: 4, evaluations: 4 })) {
      expect(event).toMatchObject({
        kind: "start",
        notes: [{ message: expect.stringContaining("27 examples are left") }],
      });
      break;
    }
  });

  it("train from the shell, which says so in a line", () => {
    const data = ["--data", "csv", "--data-file", join(cases, "iris-24.csv"), "--target", "species"];
    const out = join(temporaryFolder(), "few");
    const { status, stdout, stderr } = run(["train", ...data, "--epochs", "5", "--out", out, "--json"]);
    expect(status, stderr).toBe(0);
    expect(stderr.match(/^note: .*/gm)).toEqual([
      "note: 18 examples are left to train on, after 1 were set aside for validation, fewer than a batch of 64: each " +
        "step reads all of them.",
    ]);
    expect(lastJson(stdout)).toMatchObject({ steps: 5 });
  });
});
