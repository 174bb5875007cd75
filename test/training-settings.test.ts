import { describe, expect, it } from "vitest";
import { activations } from "../src/estimate/estimators.ts";
import type { Quality } from "../src/estimate/quality.ts";
import { feedback } from "../src/guess/feedback.ts";
import { decodeModel } from "../src/onnx/decode.ts";
import { schedules } from "../src/optim/schedules.ts";
import type { TrainEvent } from "../src/train/events.ts";
import { loadRunCheckpoint } from "../src/train/run-state-schema.ts";
import type { TrainOptions } from "../src/train/settings/options.ts";
import { train } from "../src/train/train.ts";
import { examples, finish, memory, model, runtime } from "./circle.ts";

type Store = ReturnType<typeof memory>;

const half = { name: "sgd", momentum: 0.5 } as const;
/** As JavaScript passes it. */
const given = (options: object) => options as Partial<TrainOptions>;

const base = { model, examples, runtime, batch: 32 } as const;

async function eventsOf(options: Partial<TrainOptions>): Promise<TrainEvent[]> {
  const events: TrainEvent[] = [];
  for await (const event of train({ ...base, ...options })) events.push(event);
  return events;
}

async function modelBytes(options: Partial<TrainOptions>): Promise<Uint8Array> {
  const last = (await eventsOf(options)).at(-1);
  if (last?.kind !== "done") throw new Error("not done");
  return last.model;
}

function metricsOf(store: Store): { kind: string; [key: string]: unknown }[] {
  const timings = new Set(["seconds", "secondsPerStep"]);
  return new TextDecoder()
    .decode(store.files.get("metrics.jsonl"))
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line, (key, value) => (timings.has(key) ? undefined : value)));
}

/** Stops after some steps, goes on, and compares with an undisturbed run. */
async function resumesExactly(options: Partial<TrainOptions>, moments: readonly number[]): Promise<Store> {
  const whole = memory();
  await finish({ ...options, store: whole });
  for (const moment of moments) {
    const store = memory();
    const stop = new AbortController();
    for await (const event of train({ ...base, ...options, store, signal: stop.signal }))
      if (event.kind === "step" && event.step === moment) stop.abort();
    await finish({ ...options, store, resume: true });
    expect(store.files.get("model.onnx")).toEqual(whole.files.get("model.onnx"));
    expect(metricsOf(store)).toEqual(metricsOf(whole));
  }
  return whole;
}

describe("optimizers and schedules", () => {
  for (const settings of [
    { optimizer: "adam", learningRate: 0.02 },
    { optimizer: "adamw", learningRate: 0.02, schedule: { name: "linear", warmUp: 20 } },
    {
      optimizer: { name: "sgd", momentum: 0.9, nesterov: true, weightDecay: 1e-4 },
      clip: 5,
      schedule: "exponential",
    },
    { schedule: { name: "step", decay: 0.5, decayEvery: 300 }, optimizer: half },
    { schedule: "plateau", optimizer: half },
  ] as const)
    it(`learn with ${JSON.stringify(settings)}`, async () => {
      // Half of the points are inside, so a constant answer has a loss of about ln 2 = 0.69.
      expect((await finish({ ...settings, epochs: 40 })).trainLoss).toBeLessThan(0.55);
    });

  for (const settings of [
    { optimizer: { name: "adam", weightDecay: 0.01 }, clip: 1 },
    { optimizer: "adamw", schedule: { name: "cosine", warmUp: 30 } },
    { optimizer: { name: "sgd", momentum: 0.9, nesterov: true, weightDecay: 0.01 } },
    { schedule: { name: "plateau", patience: 0 }, learningRate: 1 },
    { schedule: { name: "exponential", decay: 0.99 } },
  ] as const)
    it(`go on exactly with ${JSON.stringify(settings)}`, async () => {
      await resumesExactly({ ...settings, steps: 90 }, [1, 17, 18, 50]);
    });

  it("clipping bounds the step", async () => {
    const start = decodeModel(model).initializers;
    const moved = async (clip: number | undefined) => {
      const end = decodeModel(await modelBytes({ clip, steps: 1, learningRate: 1 })).initializers;
      let square = 0;
      for (const [name, { data }] of end)
        (data as Float32Array).forEach((value, place) => {
          square += (value - Number(start.get(name)?.data[place])) ** 2;
        });
      return Math.sqrt(square);
    };
    expect(await moved(undefined)).toBeGreaterThan(0.01);
    expect(await moved(0.01)).toBeCloseTo(0.01, 5);
  });

  it("a plateau lowers the learning rate", async () => {
    // So small that no loss improves by one part in ten thousand.
    const store = memory();
    await finish({ store, schedule: schedules.plateau({ patience: 1 }), learningRate: 1e-9, epochs: 6 });
    const { state } = (await loadRunCheckpoint(store)) ?? {};
    // Epochs 2 and 3, then 4 and 5, bring nothing; the sixth waits again.
    expect(state?.plateau.factor).toBeCloseTo(0.01, 12);
  });

  it("refuse settings that have no effect or make no sense", async () => {
    const wrong: [Partial<TrainOptions>, string | RegExp][] = [
      [
        given({ decay: 0.5 }),
        "It belongs to step, exponential, plateau: schedule: schedules.step({ decay: 0.5 })",
      ],
      [
        given({ schedule: { name: "exponential", decayEvery: 5 } }),
        'schedule.decayEvery: 5 is no option of exponential; it belongs to step: leave it out, or choose schedule: "step"',
      ],
      [given({ plateauPatience: 3 }), "It belongs to plateau: schedule: schedules.plateau({ patience: 3 })"],
      [{ clip: 0 }, "clip must be a number above 0, received 0"],
      [{ patience: 0 }, "patience must be a whole number from 1"],
      [{ schedule: { name: "linear", warmUp: -1 } }, "schedule.warmUp must be a whole number from 0"],
      [
        given({ optimizer: { name: "adam", momentum: 0.9 } }),
        'optimizer.momentum: 0.9 is no option of adam; it belongs to sgd: leave it out, or choose optimizer: "sgd"',
      ],
      [given({ beta1: 0.5 }), "It belongs to adam, adamw: optimizer: adam({ beta1: 0.5 })"],
      [{ patience: 2, validation: 0 }, "patience follows the validation loss"],
      [{ schedule: "plateau", validation: 0 }, 'schedule: "plateau" follows the validation loss'],
      [{ gradient: "exact", quality: { every: 5 } }, "leave one of them out"],
    ];
    for (const [options, message] of wrong)
      await expect(finish({ steps: 1, ...options })).rejects.toThrow(message);
  });

  it("refuse to go on under other settings", async () => {
    const store = memory();
    await finish({ store, steps: 5 });
    const changes: Partial<TrainOptions>[] = [
      { optimizer: "adam", learningRate: 0.1 },
      { optimizer: { name: "sgd", weightDecay: 0.1 } },
      { schedule: "step" },
      { schedule: { name: "cosine", warmUp: 2 } },
      { clip: 1 },
      { patience: 3 },
      { aggregate: "max" },
      { aggregate: { name: "projection", select: "first-n" } },
      { quality: { every: 2 } },
    ];
    for (const change of changes)
      await expect(finish({ store, steps: 5, resume: true, ...change })).rejects.toThrow(
        new RegExp(`other settings: .*${Object.keys(change)[0]}[.\\w]* was`),
      );
  });
});

describe("early stopping", () => {
  // A rate at which the loss soon begins to rise and fall.
  const settings = { learningRate: 12, epochs: 60, patience: 4, seed: 3, schedule: "constant" } as const;

  it("ends after so many epochs without improvement, and keeps the parameters of the best", async () => {
    const events = await eventsOf({ ...settings, divergenceFactor: 1e9 });
    const epochs = events.filter((event) => event.kind === "epoch");
    const losses = epochs.map((event) => event.validationLoss ?? Number.NaN);
    const best = losses.indexOf(Math.min(...losses));
    expect(epochs.length).toBeLessThan(60);
    expect(losses.length).toBe(best + 1 + 4);
    const done = events.at(-1);
    if (done?.kind !== "done") throw new Error("not done");
    expect(done.result.bestStep).toBe(epochs[best]?.step);
    // The same parameters as of a run that ends there.
    const short = await modelBytes({
      ...settings,
      patience: undefined,
      epochs: best + 1,
      divergenceFactor: 1e9,
    });
    expect(done.model).toEqual(short);
  });

  it("goes on exactly, before the best step, after it, and once it has ended", async () => {
    const whole = await resumesExactly({ ...settings, divergenceFactor: 1e9 }, [1, 30, 36, 55]);
    const last = metricsOf(whole).at(-1);
    expect(last).toMatchObject({ kind: "result" });
    const again = await eventsOf({ ...settings, divergenceFactor: 1e9, store: whole, resume: true });
    expect(again.at(-1)).toMatchObject({ kind: "done", resumedComplete: true });
  });

  it("keeps the best parameters also of a run that reaches its end", async () => {
    const events = await eventsOf({ ...settings, patience: 1000, epochs: 6, divergenceFactor: 1e9 });
    const epochs = events.filter((event) => event.kind === "epoch");
    const losses = epochs.map((event) => event.validationLoss ?? Number.NaN);
    const done = events.at(-1);
    expect(done).toMatchObject({
      kind: "done",
      result: { bestStep: epochs[losses.indexOf(Math.min(...losses))]?.step, steps: 6 * 18 },
    });
  });
});

describe("tracking the gradient's quality", () => {
  it("logs cosine and norm ratio at every N-th step and leaves the run's bytes alone", async () => {
    const plain = memory();
    const tracked = memory();
    await finish({ store: plain, steps: 60 });
    const events = await eventsOf({ store: tracked, steps: 60, quality: { every: 7 }, tangents: 4 });
    const lines = metricsOf(tracked).filter((line) => line.kind === "quality");
    expect(lines.map((line) => line.step)).toEqual([7, 14, 21, 28, 35, 42, 49, 56]);
    for (const { cosine, normRatio } of lines as unknown as { cosine: number; normRatio: number }[]) {
      // A projection on 4 of 14 dimensions for each example: shorter than the gradient, and on its side.
      expect(cosine).toBeGreaterThan(0);
      expect(cosine).toBeLessThan(1);
      expect(normRatio).toBeGreaterThan(0);
      expect(normRatio).toBeLessThan(1.5);
    }
    const steps = events.filter((event) => event.kind === "step");
    expect(steps.filter((event) => event.quality !== undefined).map((event) => event.step)).toEqual(
      lines.map((line) => line.step),
    );
    const same = memory();
    await finish({ store: same, steps: 60, quality: { every: 7 } });
    expect(same.files.get("model.onnx")).toEqual(plain.files.get("model.onnx"));
    expect(metricsOf(same).filter((line) => line.kind !== "quality")).toEqual(metricsOf(plain));
  });

  it("finds no bias, and the variance that the default estimate has, at each step and at the end", async () => {
    const store = memory();
    const result = await finish({ store, steps: 30, quality: { every: 10, draws: 24 }, tangents: 4 });
    const lines = metricsOf(store).filter((line) => line.kind === "quality" || line.kind === "result");
    expect(lines).toHaveLength(4);
    expect(lines.at(-1)).toMatchObject({ cosine: result.cosine, biasSquared: result.biasSquared });
    for (const line of lines as unknown as Required<Quality>[]) {
      expect(Math.abs(line.biasSquared)).toBeLessThan(4 * line.biasSquaredError);
      // 12 of an example's 14 numbers are estimated from 4 tangents, at most 14/4 times ‖∇f‖² too much.
      expect(line.variance).toBeGreaterThan(4 * line.varianceError);
      expect(line.variance).toBeLessThan(14 / 4);
      expect(line.cosineError).toBeLessThan(0.1);
    }
  });

  it("measures the state that a step started from, and leaves a guess alone", async () => {
    const guessing = { perturb: activations({ guess: feedback() }), steps: 40, tangents: 4 };
    const [plain, tracked] = [memory(), memory()];
    await finish({ ...guessing, store: plain });
    await finish({ ...guessing, store: tracked, quality: { every: 3 } });
    expect(tracked.files.get("model.onnx")).toEqual(plain.files.get("model.onnx"));
    const checkpoints = [await loadRunCheckpoint(plain), await loadRunCheckpoint(tracked)];
    expect(checkpoints[1]?.estimator).toEqual(checkpoints[0]?.estimator);
    expect(metricsOf(tracked).filter((line) => line.kind !== "quality")).toEqual(metricsOf(plain));
    await resumesExactly({ ...guessing, quality: { every: 3 } }, [5, 6]);
  });

  it("draws at least twice on a step, and says no standard error then", async () => {
    const events = await eventsOf({ steps: 1, quality: { every: 1 } });
    const [first] = events.flatMap((event) => (event.kind === "step" ? [event.quality] : []));
    expect(first?.variance).toBeGreaterThan(0);
    expect(first?.biasSquared).toBeDefined();
    expect(first?.biasSquaredError).toBeUndefined();
  });

  it("finds cosine and ratio 1 where the tangents span everything", async () => {
    const events = await eventsOf({ steps: 3, quality: { every: 1 }, tangents: 14 });
    for (const event of events.filter((one) => one.kind === "step")) {
      expect(event.quality?.cosine).toBeCloseTo(1, 5);
      expect(event.quality?.normRatio).toBeCloseTo(1, 4);
    }
  });

  it("goes on exactly", async () => {
    await resumesExactly({ steps: 60, quality: { every: 7 }, clip: 0.1 }, [6, 7, 33]);
  });
});
