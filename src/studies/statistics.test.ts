import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { distanceInErrors } from "./reference.ts";
import { groupBy, halfWidth95, moments, numberIn, pool, summarizeBy } from "./statistics.ts";

describe("moments", () => {
  it("are mean and standard deviation", () => {
    const { count, mean, deviation } = moments([2, 4, 4, 4, 5, 5, 7, 9]);
    expect([count, mean]).toEqual([8, 5]);
    expect(deviation).toBeCloseTo(Math.sqrt(32 / 7), 12);
    expect(() => moments([])).toThrow("at least one");
  });

  it("of groups pool to those of all", () => {
    const values = fc.array(fc.double({ min: -5, max: 5, noNaN: true }), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(fc.array(values, { minLength: 1, maxLength: 5 }), (groups) => {
        const [pooled, all] = [pool(groups.map(moments)), moments(groups.flat())];
        expect(pooled.count).toBe(all.count);
        expect(pooled.mean).toBeCloseTo(all.mean, 9);
        expect(pooled.deviation).toBeCloseTo(all.deviation, 6);
      }),
      { seed: 1 },
    );
  });

  // Student's t at 97.5 %, from tables.
  it.each([
    [2, 12.7062],
    [5, 2.77645],
    [11, 2.22814],
    [12, 2.20099],
    [31, 2.04227],
    [1000, 1.96234],
  ])("of %i values have a half-width of %f standard errors", (count, quantile) => {
    const width = halfWidth95({ count, mean: 0, deviation: Math.sqrt(count) });
    expect(width).toBeCloseTo(quantile, 3);
  });

  it("of one value have no interval", () => {
    expect(halfWidth95(moments([3]))).toBeNaN();
  });
});

describe("summarizeBy", () => {
  it("makes one row a group, in order, with what is measured", () => {
    const rows = [
      { n: 2, kind: "a", loss: 1 },
      { n: 1, kind: "a", loss: 5 },
      { n: 2, kind: "a", loss: 3 },
      { n: 2, kind: "b", loss: 4 },
    ];
    expect(groupBy(rows, ["n", "kind"]).map((group) => group.length)).toEqual([2, 1, 1]);
    const [first, second] = summarizeBy(rows, ["n", "kind"], ["loss"]);
    expect(first).toMatchObject({ n: 2, kind: "a", count: 2, loss_mean: 2, loss_sd: Math.SQRT2 });
    expect(first?.loss_ci95).toBeCloseTo(12.706205, 5);
    expect(second).toMatchObject({ n: 1, count: 1, loss_mean: 5, loss_sd: 0, loss_ci95: undefined });
    expect(() => numberIn({ n: "x" }, "n")).toThrow("'n' holds \"x\", expected a number");
  });
});

it("distanceInErrors counts standard errors of a difference, and forgives the last printed digit", () => {
  const exact = { count: 1000, mean: 1, deviation: 0 };
  expect(distanceInErrors(exact, { ...exact, mean: 1.0000005 })).toBe(0);
  expect(
    distanceInErrors({ count: 100, mean: 1, deviation: 3 }, { count: 100, mean: 2, deviation: 4 }),
  ).toBeCloseTo(2, 12);
});
