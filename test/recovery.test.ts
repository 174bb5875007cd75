import { describe, expect, it } from "vitest";
import type { TrainEvent } from "../src/train/events.ts";
import type { TrainOptions } from "../src/train/settings/options.ts";
import { train } from "../src/train/train.ts";
import { examples, memory, model, runtime } from "./circle.ts";

// A limit so low that noise reaches it at the default rate, and not at half of it.
const noisy = { model, examples, runtime, batch: 8, steps: 400 } as const;

async function eventsOf(options: Partial<TrainOptions>): Promise<TrainEvent[]> {
  const events: TrainEvent[] = [];
  for await (const event of train({ ...noisy, ...options })) events.push(event);
  return events;
}

const metricsOf = (store: ReturnType<typeof memory>) =>
  new TextDecoder()
    .decode(store.files.get("metrics.jsonl"))
    .trimEnd()
    .split("\n")
    .map(
      (line) => JSON.parse(line) as { kind: string; step: number; seconds?: number; secondsPerStep?: number },
    );

const untimed = (store: ReturnType<typeof memory>) =>
  metricsOf(store).map((line) => ({ ...line, seconds: undefined, secondsPerStep: undefined }));

describe("a run that diverges by the default learning rate", () => {
  const settings = {
    perturb: "weights",
    tangents: 2,
    optimizer: { name: "sgd", momentum: 0.5 },
    divergenceFactor: 1.53,
  } as const;

  it("goes back to its last good state and on at half the rate", async () => {
    const store = memory();
    const events = await eventsOf({ ...settings, store });
    const [start] = events;
    const recoveries = events.filter((event) => event.kind === "recovery");
    expect(recoveries).toHaveLength(1);
    const [recovery] = recoveries;
    if (start?.kind !== "start" || recovery?.kind !== "recovery") throw new Error("no recovery");
    expect(recovery.learningRate).toBe((start.learningRate as number) / 2);
    expect(recovery.divergedAt).toBeGreaterThan(recovery.from);
    expect(recovery.reason).toMatch(
      new RegExp(`^the loss of step ${recovery.divergedAt} is .*above the limit`),
    );
    // The steps after it are those from the good state on.
    const next = events[events.indexOf(recovery) + 1];
    expect(next).toMatchObject({ kind: "step", step: recovery.from + 1 });
    const done = events.at(-1);
    if (done?.kind !== "done") throw new Error("not done");
    const { from, divergedAt } = recovery;
    expect(done.result).toMatchObject({
      steps: 400,
      recovery: { from, divergedAt, times: 1 },
      learningRate: recovery.learningRate,
    });
    const lines = metricsOf(store);
    expect(lines.filter(({ kind }) => kind === "recovery")).toMatchObject([{ step: from, divergedAt }]);
    const steps = lines.map(({ step }) => step);
    expect(steps).toEqual(steps.toSorted((a, b) => a - b));
  });

  it("computes the same where it is stopped before, at, and after that, and resumed", async () => {
    const whole = memory();
    const events = await eventsOf({ ...settings, store: whole });
    const recovery = events.find((event) => event.kind === "recovery");
    if (recovery?.kind !== "recovery") throw new Error("no recovery");
    const { from, divergedAt } = recovery;
    for (const moment of [from - 1, from + 1, divergedAt - 1, "recovery", divergedAt + 30] as const) {
      const store = memory();
      let hasRecovered = false;
      for await (const event of train({ ...noisy, ...settings, store, checkpointSeconds: 1e-9 })) {
        hasRecovered ||= event.kind === "recovery";
        const isAfter = typeof moment === "number" && moment > divergedAt;
        // Left in the middle, as by a kill: what is on disk is all that is left.
        if (event.kind === "recovery" && moment === "recovery") break;
        if (event.kind === "step" && event.step === moment && hasRecovered === isAfter) break;
      }
      await eventsOf({ ...settings, store, resume: true });
      expect(store.files.get("model.onnx"), `${moment}`).toEqual(whole.files.get("model.onnx"));
      expect(untimed(store), `${moment}`).toEqual(untimed(whole));
    }
  });

  it("goes back once more where half the rate diverges, too, and computes the same where it is stopped in between", async () => {
    const twice = { ...settings, divergenceFactor: 1.5 };
    const whole = memory();
    const events = await eventsOf({ ...twice, store: whole });
    const recoveries = events.filter((event) => event.kind === "recovery");
    expect(recoveries.length).toBeGreaterThan(1);
    const start = events[0] as TrainEvent & { kind: "start" };
    expect(recoveries.map(({ learningRate }) => learningRate)).toEqual(
      recoveries.map((_, index) => (start.learningRate as number) / 2 ** (index + 1)),
    );
    const last = recoveries.at(-1);
    const done = events.at(-1);
    if (done?.kind !== "done" || !last) throw new Error("not done");
    const { from, divergedAt, learningRate } = last;
    expect(done.result).toMatchObject({
      steps: 400,
      learningRate,
      recovery: { from, divergedAt, times: recoveries.length },
    });
    const lines = metricsOf(whole);
    const steps = lines.map(({ step }) => step);
    expect(steps).toEqual(steps.toSorted((a, b) => a - b));
    for (let stopAt = 1; stopAt <= recoveries.length; stopAt++) {
      const store = memory();
      let [count, stepsAfter] = [0, 0];
      for await (const event of train({ ...noisy, ...twice, store, checkpointSeconds: 1e-9 })) {
        if (event.kind === "recovery") count++;
        if (count === stopAt && stepsAfter++ === 3) break;
      }
      await eventsOf({ ...twice, store, resume: true });
      expect(store.files.get("model.onnx"), `${stopAt}`).toEqual(whole.files.get("model.onnx"));
      expect(untimed(store), `${stopAt}`).toEqual(untimed(whole));
    }
  });

  it("ends where it diverges at every rate, and where the rate was given", async () => {
    const hopeless = { ...settings, divergenceFactor: 0.5 };
    let count = 0;
    const untilTheEnd = async () => {
      for await (const event of train({ ...noisy, ...hopeless })) if (event.kind === "recovery") count++;
    };
    await expect(untilTheEnd()).rejects.toMatchObject({ name: "DivergenceError" });
    expect(count).toBe(8);
    const start = (await eventsOf({ ...settings, steps: 1, divergenceFactor: 100 }))[0];
    const { learningRate } = start as TrainEvent & { kind: "start" };
    const given = eventsOf({ ...settings, learningRate: 10 * (learningRate as number) });
    await expect(given).rejects.toThrow(/Training diverged: the loss of step/);
  });

  it("keeps the best parameters of early stopping", async () => {
    const events = await eventsOf({ ...settings, patience: 8 });
    const at = events.findIndex((event) => event.kind === "recovery");
    const done = events.at(-1);
    if (at < 0 || done?.kind !== "done") throw new Error("no recovery");
    const epochs = events.flatMap((event, place) => (event.kind === "epoch" ? [{ ...event, place }] : []));
    const best = epochs.reduce((a, b) =>
      (b.validationLoss as number) < (a.validationLoss as number) ? b : a,
    );
    expect(done.result.bestStep).toBe(best.step);
    expect(done.result.validationLoss).toBe(best.validationLoss);
  });
});
