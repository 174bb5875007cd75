import { describe, expect, it } from "vitest";
import type { Examples } from "../src/data/dataset.ts";
import { crossEntropy } from "../src/losses/cross-entropy.ts";
import { mlp } from "../src/models/mlp.ts";
import { encodeModelFile } from "../src/objective/importing/model-file.ts";
import { decodeModel } from "../src/onnx/decode.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import type { RunStore } from "../src/storage/run-store.ts";
import { evaluateModel } from "../src/train/evaluation/evaluate-model.ts";
import type { TrainEvent } from "../src/train/events.ts";
import type { TrainOptions } from "../src/train/settings/options.ts";
import { train } from "../src/train/train.ts";

const runtime = nodeRuntime({ threads: 1 });
const model = encodeModelFile(mlp({ input: [1, 6, 6], hidden: [8], outputs: 2, seed: 1 }));
const count = 200;
/** Images that are brighter on the left or on the right, with noise. */
const examples: Examples = {
  count,
  shape: [1, 6, 6],
  inputs: Uint8Array.from({ length: 36 * count }, (_, at) => {
    const isBright = at % 6 < 3 === (Math.floor(at / 36) % 2 === 0);
    return ((at * 7919) % 97) + (isBright ? 120 : 0);
  }),
  labels: Int32Array.from({ length: count }, (_, at) => at % 2),
};
const augment = { crop: 2, flip: true };

function memory(): RunStore & { readonly files: Map<string, Uint8Array> } {
  const files = new Map<string, Uint8Array>();
  return {
    files,
    describe: "memory",
    read: async (name) => files.get(name),
    write: async (name, bytes) => void files.set(name, bytes.slice()),
    append: async (name, line) => {
      const before = files.get(name) ?? new Uint8Array();
      files.set(name, Uint8Array.of(...before, ...new TextEncoder().encode(line)));
    },
    truncate: async (name, bytes) => {
      const file = files.get(name);
      if (file) files.set(name, file.slice(0, bytes));
    },
  };
}

async function eventsOf(options: Partial<TrainOptions>): Promise<TrainEvent[]> {
  const events: TrainEvent[] = [];
  for await (const event of train({ model, examples, runtime, batch: 20, epochs: 3, ...options }))
    events.push(event);
  return events;
}

const kind = <K extends TrainEvent["kind"]>(events: readonly TrainEvent[], wanted: K) =>
  events.filter((event): event is Extract<TrainEvent, { kind: K }> => event.kind === wanted);

describe("augmentation while training", () => {
  it("changes the training examples, each epoch in another way, and neither validation nor test examples", async () => {
    // Nothing is learned, so that losses differ by the examples alone.
    const still = { learningRate: 1e-30, validation: 40, test: examples };
    const [plain, changed] = [await eventsOf(still), await eventsOf({ ...still, augment })];
    const losses = (events: readonly TrainEvent[]) => kind(events, "epoch").map(({ trainLoss }) => trainLoss);
    const validation = (events: readonly TrainEvent[]) =>
      kind(events, "epoch").map(({ validationLoss }) => validationLoss);
    expect(validation(changed)).toEqual(validation(plain));
    expect(kind(changed, "done")[0]?.result.testLoss).toBe(kind(plain, "done")[0]?.result.testLoss);
    expect(new Set(losses(plain).map((loss) => loss.toFixed(4))).size).toBe(1);
    expect(new Set(losses(changed).map((loss) => loss.toFixed(4))).size).toBe(3);
  });

  it("goes on exactly where a run stopped", async () => {
    const whole = memory();
    await eventsOf({ augment, store: whole });
    for (const moment of [1, 8, 13]) {
      const store = memory();
      const stop = new AbortController();
      for await (const event of train({
        model,
        examples,
        runtime,
        batch: 20,
        epochs: 3,
        augment,
        store,
        signal: stop.signal,
      }))
        if (event.kind === "step" && event.step === moment) stop.abort();
      await eventsOf({ augment, store, resume: true });
      expect(store.files.get("model.onnx")).toEqual(whole.files.get("model.onnx"));
    }
  });

  it("is kept with the run", async () => {
    const store = memory();
    await eventsOf({ augment, store });
    expect(JSON.parse(new TextDecoder().decode(store.files.get("config.json")))).toMatchObject({
      augment: { crop: 2, flip: true },
    });
    await expect(eventsOf({ augment: { crop: 1 }, store, resume: true })).rejects.toThrow(
      "augment.crop was 2, now 1; augment.flip was true, now false",
    );
    await expect(eventsOf({ store, resume: true })).rejects.toThrow(
      "augment.crop was 2, now unset; augment.flip was true, now unset",
    );
  });

  it("leaves a model that learned", async () => {
    const [done] = kind(await eventsOf({ augment: { crop: 1 }, epochs: 20 }), "done");
    const { accuracy } = await evaluateModel({
      model: decodeModel(done?.model ?? new Uint8Array()),
      parameters: {},
      examples,
      loss: crossEntropy(),
      output: "logits",
      runtime,
    });
    expect(accuracy).toBeGreaterThan(0.95);
  });

  it("is refused before the first step where it does not fit", async () => {
    const flat = { ...examples, shape: [36] };
    const store = memory();
    await expect(eventsOf({ examples: flat, augment, store })).rejects.toThrow(
      "expected [channels, height, width]",
    );
    await expect(eventsOf({ augment: { crop: 6 }, store })).rejects.toThrow(
      "crop:6 leaves nothing of images of 6×6",
    );
    expect(store.files.size).toBe(0);
  });
});

describe("the shape of examples", () => {
  it("must agree with the model's axis by axis, axes of size 1 and vectors excepted", async () => {
    const color = encodeModelFile(mlp({ input: [3, 4, 4], hidden: [4], outputs: 2 }));
    const data = (shape: number[]): Partial<TrainOptions> => ({
      model: color,
      examples: { count: 60, shape, inputs: new Uint8Array(48 * 60), labels: new Int32Array(60) },
      steps: 1,
    });
    await expect(eventsOf(data([4, 4, 3]))).rejects.toThrow(
      "takes examples of shape [3, 4, 4], and the data's have the shape [4, 4, 3]",
    );
    for (const shape of [[48], [3, 1, 4, 4], [48, 1, 1]]) await eventsOf(data(shape));
  });
});
