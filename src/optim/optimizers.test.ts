import { describe, expect, it } from "vitest";
import { clipGlobalNorm } from "./clip.ts";
import { type OptimizerName, optimizers } from "./optimizers.ts";
import { freshPatience, watch } from "./patience.ts";
import { type ScheduleName, schedules, withWarmUp } from "./schedules.ts";
import { sgd } from "./sgd.ts";

const variants: { name: OptimizerName; options: object; rate: number }[] = [
  ...(Object.keys(optimizers) as OptimizerName[]).map((name) => ({
    name,
    options: name === "adamw" ? { weightDecay: 0 } : {},
    rate: 0.05,
  })),
  { name: "sgd", options: { momentum: 0.9 }, rate: 0.05 },
  { name: "sgd", options: { momentum: 0.9, nesterov: true }, rate: 0.05 },
];

for (const { name, options, rate } of variants) {
  describe(`${name} ${JSON.stringify(options)}`, () => {
    it("finds the minimum of a quadratic, and its state is plain data", () => {
      const optimizer = optimizers[name](options);
      expect(optimizer.name).toBe(name);
      const x = { a: Float32Array.of(3, -2), b: Float32Array.of(1) };
      let state = optimizer.init(x);
      for (let step = 0; step < 400; step++) {
        // f = ½ Σ s (x − 1)², s = 1, 4, 2
        const gradients = {
          a: Float32Array.of((x.a[0] as number) - 1, 4 * ((x.a[1] as number) - 1)),
          b: Float32Array.of(2 * ((x.b[0] as number) - 1)),
        };
        optimizer.update(x, gradients, state, rate * (1 - step / 800));
        // A checkpoint in between changes nothing.
        if (step === 17)
          state = Object.fromEntries(Object.entries(state).map(([key, values]) => [key, values.slice()]));
      }
      for (const value of [...x.a, ...x.b]) expect(value).toBeCloseTo(1, 4);
    });

    it("leaves parameters without a gradient alone", () => {
      const optimizer = optimizers[name](options);
      const x = { a: Float32Array.of(1), frozen: Float32Array.of(5) };
      optimizer.update(x, { a: Float32Array.of(1) }, optimizer.init(x), 0.1);
      expect(x.frozen[0]).toBe(5);
      expect(x.a[0]).toBeLessThan(1);
    });
  });
}

describe("sgd", () => {
  it("follows PyTorch's momentum: v = μ v + g, θ = θ − lr v", () => {
    const x = { a: Float32Array.of(0) };
    const optimizer = sgd({ momentum: 0.5 });
    const state = optimizer.init(x);
    optimizer.update(x, { a: Float32Array.of(1) }, state, 0.5);
    expect(x.a[0]).toBe(-0.5);
    optimizer.update(x, { a: Float32Array.of(1) }, state, 0.5);
    expect(x.a[0]).toBe(-1.25);
  });
});

describe("options", () => {
  it.each([
    ["sgd", { momentum: 1 }, "optimizer.momentum must be a number from 0 to below 1, received 1"],
    ["sgd", { nesterov: true }, "momentum is 0"],
    ["sgd", { weightDecay: -1 }, "optimizer.weightDecay must be a number from 0, received -1"],
    ["sgd", { beta1: 0.9 }, "sgd has no option 'beta1'"],
    ["adam", { momentum: 0.9 }, "adam has no option 'momentum'. adam takes beta1, beta2"],
    ["adam", { beta2: 1 }, "optimizer.beta2 must be a number from 0 to below 1"],
    ["adamw", { nesterov: true }, "adamw has no option 'nesterov'"],
    ["adamw", { epsilon: Number.NaN }, "optimizer.epsilon must be a number from 0, received NaN"],
  ] as const)("%s refuses %j", (name, options, message) => {
    expect(() => optimizers[name](options)).toThrow(message);
  });

  it("a gradient's limit must be positive", () => {
    expect(() => clipGlobalNorm({}, 0)).toThrow("must be positive, received 0");
  });
});

describe("schedules", () => {
  it("begin at 1 and stay within [0, 1]", () => {
    for (const name of Object.keys(schedules) as ScheduleName[]) {
      const schedule = schedules[name]();
      expect(schedule.factor(0, 10)).toBe(1);
      for (let step = 0; step < 10; step++) {
        expect(schedule.factor(step, 10)).toBeGreaterThanOrEqual(0);
        expect(schedule.factor(step, 10)).toBeLessThanOrEqual(1);
      }
      expect(schedule.factor(0, 0)).toBe(1);
    }
    expect(schedules.cosine().factor(5, 10)).toBeCloseTo(0.5, 12);
    expect(schedules.linear().factor(5, 10)).toBe(0.5);
    expect(schedules.exponential().factor(10, 10)).toBeCloseTo(0.01, 12);
    expect([0, 3, 4, 8].map((step) => schedules.step().factor(step, 10))).toEqual([1, 1, 0.1, 0.1 ** 2]);
  });

  it("may warm up", () => {
    const schedule = withWarmUp(schedules.linear(), 4);
    expect([0, 1, 3, 4, 5].map((step) => schedule.factor(step, 10))).toEqual([0.25, 0.45, 0.7, 0.6, 0.5]);
    const same = schedules.linear({ warmUp: 4 });
    expect([0, 1, 3, 4, 5].map((step) => same.factor(step, 10))).toEqual([0.25, 0.45, 0.7, 0.6, 0.5]);
    expect(withWarmUp(schedules.constant(), 0).factor(0, 10)).toBe(1);
  });

  it("refuse a decay that is none", () => {
    for (const name of ["step", "exponential", "plateau"] as const)
      for (const decay of [0, 1.5, Number.NaN])
        expect(() => schedules[name]({ decay })).toThrow(
          `schedule.decay must be a number above 0 and at most 1, received ${decay}`,
        );
    expect(() => schedules.step({ decayEvery: 0.5 })).toThrow("whole number from 1, received 0.5");
  });
});

describe("patience", () => {
  it("counts what is no improvement, also what is not a number", () => {
    const losses = [3, 2, 2, Number.NaN, 1.9, 4];
    const waited: number[] = [];
    losses.reduce((patience, loss) => {
      const next = watch(patience, loss);
      waited.push(next.waited);
      return next;
    }, freshPatience);
    expect(waited).toEqual([0, 0, 1, 2, 0, 1]);
    expect(watch(freshPatience, Number.NaN)).toEqual({ waited: 1 });
  });
});
