/** Runs that end when their minutes are over, and go on with as many again. */
import { describe, expect, it } from "vitest";
import { crossEntropy } from "../src/losses/cross-entropy.ts";
import { decodeModel } from "../src/onnx/decode.ts";
import { memoryStore } from "../src/storage/memory-store.ts";
import { evaluateModel } from "../src/train/evaluation/evaluate-model.ts";
import type { TrainEvent, TrainResult } from "../src/train/events.ts";
import { runOptions } from "../src/train/run-options.ts";
import { previewTraining } from "../src/train/run-plan.ts";
import type { TrainOptions } from "../src/train/settings/options.ts";
import { TrainingRun, train } from "../src/train/train.ts";
import { examples, inputs, labels, model, runtime } from "./circle.ts";

const test = { count: labels.length, shape: [2], inputs, labels };
const base = { model, examples, test, runtime, batch: 32, epochs: 2, seed: 2 };

/** Trains with a clock of which each step takes a minute. */
async function run(
  options: Partial<TrainOptions>,
): Promise<{ steps: number[]; result: TrainResult; model: Uint8Array }> {
  let minutes = 0;
  const training = await TrainingRun.open(await runOptions({ ...base, ...options }), () => 60_000 * minutes);
  const steps: number[] = [];
  try {
    let last: TrainEvent | undefined;
    for await (const event of training.events()) {
      if (event.kind === "step") {
        minutes++;
        steps.push(event.step);
      }
      last = event;
    }
    if (last?.kind !== "done") throw new Error("The run did not end.");
    return { steps, result: last.result, model: last.model };
  } finally {
    await training.release();
  }
}

describe("a run of some minutes", () => {
  it("ends after the step in which they are over, with a result, and ends as one run when it goes on", async () => {
    const whole = await run({ store: memoryStore() });
    expect(whole.steps).toHaveLength(36);
    expect(whole.result).not.toHaveProperty("outOfTime");
    const store = memoryStore();
    const patience = { minutes: 9.5 };
    const first = await run({ store, patience });
    expect(first.steps).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(first.result).toMatchObject({ outOfTime: true, steps: 10 });
    const measured = await evaluateModel({
      ...{ model: decodeModel(first.model), parameters: {}, examples: test, loss: crossEntropy(), runtime },
    });
    expect(first.result.testLoss).toBe(measured.loss);
    expect(await store.read("model.onnx")).toEqual(first.model);
    const lines = new TextDecoder()
      .decode(await store.read("metrics.jsonl"))
      .trimEnd()
      .split("\n");
    expect(JSON.parse(lines.at(-1) ?? "")).toMatchObject({ kind: "result", step: 10, outOfTime: true });
    const second = await run({ store, patience: { minutes: 20 }, resume: true });
    expect(second.steps.at(0)).toBe(11);
    expect(second.steps.at(-1)).toBe(30);
    const third = await run({ store, resume: true });
    expect(third.steps).toEqual([31, 32, 33, 34, 35, 36]);
    expect(third.model).toEqual(whole.model);
    const text = new TextDecoder().decode(await store.read("metrics.jsonl"));
    expect(text).not.toContain("outOfTime");
    expect(text.match(/"kind":"result"/g)).toHaveLength(1);
  });

  it("keeps the best parameters so far, and waits for validation examples as well", async () => {
    const store = memoryStore();
    const stopped = await run({ store, epochs: 4, patience: { epochs: 2, minutes: 40 } });
    expect(stopped.result.outOfTime).toBe(true);
    expect(stopped.result.bestStep).toBeGreaterThan(0);
    const whole = await run({ epochs: 4, patience: 2 });
    const resumed = await run({ store, epochs: 4, patience: 2, resume: true });
    expect(resumed.model).toEqual(whole.model);
  });

  it("reports of its own parameters in the middle of an epoch", async () => {
    const validation = { count: 200, shape: [2], inputs: inputs.slice(0, 400), labels: labels.slice(0, 200) };
    const whole: number[] = [];
    for await (const event of train({ ...base, validation }))
      if (event.kind === "step") whole.push(event.loss);
    const perEpoch = whole.length / base.epochs;
    for (const minutes of [3, perEpoch + 3]) {
      const { result, model: stopped } = await run({ validation, patience: { minutes } });
      expect(result.steps).toBe(minutes);
      const measured = await evaluateModel({
        ...{
          model: decodeModel(stopped),
          parameters: {},
          examples: validation,
          loss: crossEntropy(),
          runtime,
        },
      });
      expect(result.validationLoss).toBe(measured.loss);
      const losses = whole.slice(0, Math.min(minutes, perEpoch));
      expect(result.trainLoss).toBeCloseTo(losses.reduce((sum, loss) => sum + loss, 0) / losses.length, 12);
    }
  });

  it("is complete where the last step ends with its minutes", async () => {
    const { result } = await run({ steps: 5, patience: { minutes: 5 } });
    expect(result).not.toHaveProperty("outOfTime");
  });

  it("takes a number above 0, and is the same run with any", async () => {
    const preview = (patience: TrainOptions["patience"]) => previewTraining({ ...base, patience });
    await expect(preview({ minutes: 0 })).rejects.toThrow(
      "patience.minutes must be a number above 0, received 0",
    );
    await expect(preview({ on: "accuracy", minutes: 1 })).rejects.toThrow("patience.epochs");
    expect((await preview({ minutes: 3 })).config).toEqual((await preview(undefined)).config);
    expect((await preview({ epochs: 2, minutes: 3 })).config).toEqual((await preview(2)).config);
  });
});
