/** Validation examples of a run's own, beside those that are split off. */

import { encode } from "fast-png";
import { describe, expect, it } from "vitest";
import { tableDataset } from "../src/data/files/table.ts";
import { imageFolder } from "../src/data/pictures/image-folder.ts";
import { decodePicture } from "../src/data/pictures/node-picture.ts";
import { takeExamples } from "../src/data/split.ts";
import type { ListedFiles } from "../src/data/store.ts";
import { crossEntropy } from "../src/losses/cross-entropy.ts";
import { decodeModel } from "../src/onnx/decode.ts";
import { memoryStore } from "../src/storage/memory-store.ts";
import { evaluateModel } from "../src/train/evaluation/evaluate-model.ts";
import type { TrainEvent } from "../src/train/events.ts";
import { previewTraining } from "../src/train/run-plan.ts";
import type { TrainOptions } from "../src/train/settings/options.ts";
import { train } from "../src/train/train.ts";
import { count, examples, inputs, labels, model, runtime } from "./circle.ts";

const range = (from: number, to: number) => Uint32Array.from({ length: to - from }, (_, at) => from + at);
const all = { count, shape: [2], ...examples };
const kept = takeExamples(all, range(0, count - 100));
const held = takeExamples(all, range(count - 100, count));
const arrays = { inputs: inputs.slice(2 * (count - 100)), labels: labels.slice(count - 100) };
const base = { model, examples: kept, runtime, epochs: 2, seed: 3 };

async function run(options: Partial<TrainOptions>) {
  const events: TrainEvent[] = [];
  for await (const event of train({ ...base, ...options })) events.push(event);
  const done = events.at(-1);
  if (done?.kind !== "done") throw new Error("The run did not end.");
  return { events, result: done.result, model: done.model };
}

describe("validation examples of a run's own", () => {
  it("leave all others to train on, and are what epochs say, whether a dataset's or arrays", async () => {
    const { result, model: saved, events } = await run({ validation: held, store: memoryStore() });
    const measured = await evaluateModel({
      ...{ model: decodeModel(saved), parameters: {}, examples: held, loss: crossEntropy(), runtime },
    });
    expect(result.validationLoss).toBe(measured.loss);
    expect(result.validationAccuracy).toBe(measured.accuracy);
    expect(result.guessing?.examples).toBe("validation");
    expect(result.steps).toBe(2 * Math.floor(kept.count / 64));
    const epochs = events.filter((event) => event.kind === "epoch");
    expect(epochs.map(({ validation }) => validation?.macroF1)).toEqual([
      expect.any(Number),
      measured.classification?.macroF1,
    ]);
    const same = await run({ validation: arrays });
    expect(same.result).toEqual({ ...result, secondsPerStep: same.result.secondsPerStep });
    expect(same.model).toEqual(saved);
    // What is trained on decides the steps, whatever is set aside of it.
    expect((await run({ validation: 0 })).model).toEqual(saved);
  });

  it("stop a run that waits for them, and are a part of what a run is", async () => {
    const store = memoryStore();
    const patience = { validation: held, patience: 1, epochs: 30, store };
    const { result } = await run(patience);
    expect(result.bestStep).toBeGreaterThan(0);
    const { bestStep, validationLoss } = result;
    await expect(run({ ...patience, resume: true })).resolves.toMatchObject({
      result: { bestStep, validationLoss },
    });
    const other = takeExamples(all, range(0, 100));
    await expect(run({ ...patience, validation: other, resume: true })).rejects.toThrow("validationData");
    const { config } = await previewTraining({ ...base, validation: held });
    expect(config.validation).toBe(100);
    expect((await previewTraining({ ...base, validation: 100 })).config).not.toHaveProperty("validationData");
  });

  it("are refused before a step where they do not fit", async () => {
    await expect(run({ validation: { inputs: [1, 2, 3], labels: [1] } })).rejects.toThrow(
      "inputs hold 3 numbers",
    );
    await expect(run({ validation: { ...held, labels: held.labels.map(() => 7) } })).rejects.toThrow(
      /the validation data.*7/s,
    );
    await expect(
      run({ validation: { ...held, shape: [4], count: 50, labels: held.labels.slice(50) } }),
    ).rejects.toThrow("4");
    await expect(run({ validation: -1 })).rejects.toThrow(
      "validation must be a whole number from 0, or a dataset's examples, or { inputs, labels }, received -1",
    );
  });
});

describe("files of their own to validate on", () => {
  const file = (name: string, text: string) => ({ name, bytes: new TextEncoder().encode(text) });
  const rows = file("rows.csv", "color,size,kind\nred,1,b\nblue,2,a\nred,3,a\nblue,4,b\n");

  it("are read with the columns and classes of the table that is trained on", () => {
    const validation = file("held.csv", "kind,size,color\na,9,red\n");
    const data = tableDataset(rows, { target: "kind", targets: "classes", validation });
    expect(Array.from(data.validation?.inputs ?? [])).toEqual([0, 1, 9]);
    expect(Array.from(data.validation?.labels ?? [])).toEqual([0]);
    const strange = file("held.csv", "kind,size,color\nc,9,red\n");
    expect(() => tableDataset(rows, { target: "kind", targets: "classes", validation: strange })).toThrow(
      "held.csv: row 2, column 'kind': 'c' is new, expected one of a, b",
    );
  });

  const folder = (files: Readonly<Record<string, Uint8Array>>, describe: string): ListedFiles => ({
    describe,
    list: async () => Object.keys(files),
    read: async (path) => files[path],
  });
  const picture = (value: number, size = 2) =>
    encode({ width: size, height: size, channels: 1, data: new Uint8Array(size * size).fill(value) });
  const photos = folder(
    { "cat/1.png": picture(1), "cat/2.png": picture(2), "dog/1.png": picture(3) },
    "photos",
  );

  it("are folders of the same classes, with pictures of the same size", async () => {
    const read = (files: Readonly<Record<string, Uint8Array>>) =>
      imageFolder(photos, { decode: decodePicture, validation: folder(files, "held") });
    const { validation } = await read({ "dog/9.png": picture(9), "cat/8.png": picture(8) });
    expect(Array.from(validation?.inputs ?? [])).toEqual([9, 9, 9, 9, 8, 8, 8, 8]);
    expect(Array.from(validation?.labels ?? [])).toEqual([1, 0]);
    await expect(read({ "cow/9.png": picture(9) })).rejects.toThrow(
      "'cow' is no class, expected one of cat, dog",
    );
    await expect(read({ "cat/9.png": picture(9, 3) })).rejects.toThrow("cat/9.png (held): 3×3 pixels");
    await expect(read({ "readme.txt": picture(9) })).rejects.toThrow("held: no PNG or JPEG images");
  });
});
