import { describe, expect, it } from "vitest";
import golden from "./incomplete-beta.golden.json" with { type: "json" };
import { incompleteBeta } from "./incomplete-beta.ts";

describe("incompleteBeta", () => {
  it.each(golden as [number, number, number, number][])(
    "I_%d(%d, %d) agrees with mpmath",
    (x, a, b, expected) => {
      expect(Math.abs(incompleteBeta(x, a, b) - expected)).toBeLessThanOrEqual(1e-9 * expected);
    },
  );

  it("is 0 and 1 at its ends, and I_x(a, b) + I_1−x(b, a) = 1 between", () => {
    expect([incompleteBeta(0, 2, 3), incompleteBeta(1, 2, 3)]).toEqual([0, 1]);
    for (let x = 0.03; x < 1; x += 0.07)
      expect(incompleteBeta(x, 2.5, 4) + incompleteBeta(1 - x, 4, 2.5)).toBeCloseTo(1, 13);
  });

  it.each([
    [-0.1, 1, 1],
    [1.1, 1, 1],
    [0.5, 0, 1],
    [0.5, 1, Number.NaN],
  ])("refuses x = %d, a = %d, b = %d", (x, a, b) => {
    expect(() => incompleteBeta(x, a, b)).toThrow("takes x from 0 to 1 and positive a and b");
  });
});
