import { describe, expect, it } from "vitest";
import { type OptimizerName, optimizers } from "./optimizers.ts";
import { type ScheduleName, schedules } from "./schedules.ts";
import { sgd } from "./sgd.ts";

for (const name of Object.keys(optimizers) as OptimizerName[]) {
  describe(name, () => {
    for (const momentum of [0, 0.9]) {
      it(`finds the minimum of a quadratic with momentum ${momentum}, and its state is plain data`, () => {
        const optimizer = optimizers[name]({ momentum });
        const x = { a: Float32Array.of(3, -2), b: Float32Array.of(1) };
        let state = optimizer.init(x);
        for (let step = 0; step < 400; step++) {
          // f = ½ Σ s (x − 1)², s = 1, 4, 2
          const gradients = {
            a: Float32Array.of((x.a[0] as number) - 1, 4 * ((x.a[1] as number) - 1)),
            b: Float32Array.of(2 * ((x.b[0] as number) - 1)),
          };
          optimizer.update(x, gradients, state, 0.05);
          // A checkpoint in between changes nothing.
          if (step === 17)
            state = Object.fromEntries(Object.entries(state).map(([key, values]) => [key, values.slice()]));
        }
        for (const value of [...x.a, ...x.b]) expect(value).toBeCloseTo(1, 4);
      });
    }
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

  it("refuses a momentum outside [0, 1)", () => {
    expect(() => sgd({ momentum: 1 })).toThrow("received 1");
  });
});

describe("schedules", () => {
  it("begin at 1 and stay within [0, 1]", () => {
    for (const name of Object.keys(schedules) as ScheduleName[]) {
      expect(schedules[name](0, 10)).toBe(1);
      for (let step = 0; step < 10; step++) {
        expect(schedules[name](step, 10)).toBeGreaterThanOrEqual(0);
        expect(schedules[name](step, 10)).toBeLessThanOrEqual(1);
      }
    }
    expect(schedules.cosine(5, 10)).toBeCloseTo(0.5, 12);
    expect(schedules.linear(5, 10)).toBe(0.5);
  });
});
