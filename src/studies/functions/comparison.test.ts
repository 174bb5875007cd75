import { describe, expect, it } from "vitest";
import { fillNormal } from "../../random/normal.ts";
import { keyFromSeed } from "../../random/threefry.ts";
import { allowedApart, chanceApart, gapOf, rangesOverlap } from "./comparison.ts";

describe("gapOf", () => {
  it("is the distance to the minimum, and never below what float32 resolves", () => {
    expect(gapOf("sphere", 4, 2.5)).toBe(2.5);
    expect(gapOf("sphere", 4, 1e-300)).toBe(2 ** -149);
    expect(gapOf("goldstein-price", 2, 5)).toBe(2);
    const least = -39.16616570377141 * 64;
    expect(gapOf("styblinski-tang", 64, least + 14)).toBeCloseTo(14, 9);
    // One unit in the last place of a float32 of this size, which the authors' lowest values differ by.
    expect(gapOf("styblinski-tang", 64, Math.fround(least) + 2 ** -12)).toBe(
      gapOf("styblinski-tang", 64, least),
    );
  });
});

describe("rangesOverlap", () => {
  it("is true where the ranges share a value", () => {
    const reference = { min: 2, max: 4, mean: 3 };
    expect(rangesOverlap("sphere", 4, [1, 2.5], reference)).toBe(true);
    expect(rangesOverlap("sphere", 4, [1, 9], reference)).toBe(true);
    expect(rangesOverlap("sphere", 4, [1, 1.9], reference)).toBe(false);
    expect(rangesOverlap("sphere", 4, [4.1, 5], reference)).toBe(false);
  });

  it("knows no difference that float32 has not", () => {
    const zero = { min: 0, max: 0, mean: 0 };
    expect(rangesOverlap("sphere", 4, [1e-90, 1e-80], zero)).toBe(true);
    expect(rangesOverlap("sphere", 4, [1e-40, 1e-30], zero)).toBe(false);
    const value = { min: -39.166168, max: -39.166168, mean: -39.166168 };
    expect(rangesOverlap("styblinski-tang", 1, [-39.16616570377141], value)).toBe(true);
    expect(rangesOverlap("styblinski-tang", 1, [-39.166], value)).toBe(false);
  });
});

describe("chance", () => {
  it("lets ranges lie apart as often as random numbers do", () => {
    expect(chanceApart(5, 5)).toBeCloseTo(2 / 252, 15);
    const numbers = new Float32Array(7 * 20_000);
    fillNormal(keyFromSeed(7), 0, numbers);
    let apart = 0;
    for (let start = 0; start < numbers.length; start += 7) {
      const [a, b] = [numbers.subarray(start, start + 2), numbers.subarray(start + 2, start + 7)];
      if (Math.max(...a) < Math.min(...b) || Math.max(...b) < Math.min(...a)) apart += 1;
    }
    const chance = chanceApart(2, 5);
    expect(chance).toBeCloseTo(2 / 21, 15);
    expect(Math.abs(apart / 20_000 - chance)).toBeLessThan(4 * Math.sqrt((chance * (1 - chance)) / 20_000));
  });

  it("allows few of many", () => {
    expect(allowedApart(88, 5)).toBe(4);
    expect(allowedApart(0, 5)).toBe(0);
  });
});
