import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { logUniform, planHalving, ranked } from "./successive-halving.ts";

describe("a plan of successive halving", () => {
  it("is the one worked out by hand: 16 + 6 + 2 of 24 evaluations, a ninth and a third of the steps first", () => {
    expect(planHalving({ evaluations: 24, rungs: 3, reduction: 3, steps: 900 })).toEqual([
      { candidates: 16, steps: 100 },
      { candidates: 6, steps: 300 },
      { candidates: 2, steps: 900 },
    ]);
  });

  it("keeps to the budget, would not with one candidate more, and ends with the full length", () => {
    const numbers = fc.record({
      evaluations: fc.integer({ min: 12, max: 500 }),
      rungs: fc.integer({ min: 1, max: 5 }),
      reduction: fc.integer({ min: 2, max: 6 }),
      steps: fc.integer({ min: 1, max: 10_000 }),
    });
    fc.assert(
      fc.property(numbers, (options) => {
        const plan = planHalving(options);
        const total = (first: number) =>
          plan.reduce((sum, _, rung) => sum + Math.ceil(first / options.reduction ** rung), 0);
        const first = plan[0]?.candidates ?? 0;
        expect(plan.map(({ candidates }) => candidates).reduce((a, b) => a + b)).toBe(total(first));
        expect(total(first)).toBeLessThanOrEqual(options.evaluations);
        expect(total(first + 1)).toBeGreaterThan(options.evaluations);
        expect(plan.at(-1)?.steps).toBe(options.steps);
        expect(plan.every(({ steps }) => steps >= 1)).toBe(true);
      }),
    );
  });

  it("refuses a budget that does not reach the last rung", () => {
    expect(() => planHalving({ evaluations: 3, rungs: 3, reduction: 3, steps: 9 })).toThrow(
      "A search with 3 rungs needs at least 4 evaluations, received 3; allow more (evaluations), or take fewer rungs",
    );
  });
});

describe("log-uniform numbers", () => {
  it("ascend, one in each of equal parts of the logarithm", () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 0.999, noNaN: true }), { minLength: 1 }), (uniform) => {
        const logs = logUniform(1e-3, 10, uniform).map(Math.log10);
        for (const [part, log] of logs.entries()) {
          expect(log).toBeGreaterThanOrEqual(-3 + (4 * part) / logs.length - 1e-9);
          expect(log).toBeLessThan(-3 + (4 * (part + 1)) / logs.length + 1e-9);
        }
      }),
    );
  });
});

describe("ranking", () => {
  it("puts the smallest first, infinite scores and those that are no number last, equals in their order", () => {
    const scores = [Number.POSITIVE_INFINITY, 2, Number.NaN, 1, 2];
    const order = ranked(scores.map((score, candidate) => ({ candidate, score })));
    expect(order.map(({ candidate }) => candidate)).toEqual([3, 1, 4, 0, 2]);
  });
});
