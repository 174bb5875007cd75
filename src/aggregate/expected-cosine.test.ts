import { describe, expect, it } from "vitest";
import { expectedProjectionCosine } from "./expected-cosine.ts";

describe("expectedProjectionCosine", () => {
  it("has the values known in closed form", () => {
    // A line in the plane: E|cos φ| = 2/π; in space 1/2, and a plane in space E[sin] = π/4.
    expect(expectedProjectionCosine(2, 1)).toBeCloseTo(2 / Math.PI, 14);
    expect(expectedProjectionCosine(3, 1)).toBeCloseTo(1 / 2, 14);
    expect(expectedProjectionCosine(3, 2)).toBeCloseTo(Math.PI / 4, 14);
  });

  it("is 1 from k = n up", () => {
    expect(expectedProjectionCosine(1, 1)).toBe(1);
    expect(expectedProjectionCosine(16, 16)).toBe(1);
    expect(expectedProjectionCosine(16, 17)).toBe(1);
  });

  it("approaches √(k/n), also for billions of parameters", () => {
    for (const n of [1e6, 1e9, 1e12]) {
      // E[cos] / √(k/n) = 1 − 1/(4k) + 1/(32k²) + … + 1/(4n) from the series of Γ(x + ½)/Γ(x).
      const ratio = expectedProjectionCosine(n, 1000) / Math.sqrt(1000 / n);
      expect(Math.abs(ratio - (1 - 1 / 4000 + 1 / 32e6 + 1 / (4 * n)))).toBeLessThan(1e-9);
    }
  });

  it("grows with k, without overflow where Γ has it", () => {
    let last = 0;
    for (let k = 1; k <= 1024; k++) {
      const value = expectedProjectionCosine(1024, k);
      expect(value).toBeGreaterThan(last);
      expect(value).toBeLessThanOrEqual(1);
      last = value;
    }
  });

  it.each([
    [0, 1],
    [4, 0],
    [4.5, 1],
    [4, Number.NaN],
  ])("refuses n = %d, k = %d", (n, k) => {
    expect(() => expectedProjectionCosine(n, k)).toThrow(
      `The expected cosine needs a dimension n and a number of tangents k, whole numbers from 1; received ${n} and ${k}.`,
    );
  });
});
