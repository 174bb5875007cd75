import { describe, expect, it } from "vitest";
import { drawDistinct, permutation } from "./permutation.ts";
import { fold, keyFromSeed } from "./threefry.ts";

describe("permutation", () => {
  it.each([0, 1, 2, 17, 1000])("of %i has every number once", (count) => {
    const sorted = permutation(keyFromSeed(4), count).sort();
    expect([...sorted]).toEqual(Array.from({ length: count }, (_, i) => i));
  });

  it("gives each of the 24 orders of 4 equally often", () => {
    const draws = 48_000;
    const counts = new Map<string, number>();
    for (let i = 0; i < draws; i++) {
      const order = permutation(fold(keyFromSeed(2), i), 4).join();
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    expect(counts.size).toBe(24);
    const expected = draws / 24;
    const statistic = [...counts.values()].reduce(
      (sum, count) => sum + (count - expected) ** 2 / expected,
      0,
    );
    // χ² with 23 degrees of freedom: mean 23, standard deviation √46 = 6.8; within 5 of them.
    expect(Math.abs(statistic - 23)).toBeLessThan(5 * Math.sqrt(46));
  });

  it("keeps this order", () => {
    expect([...permutation(keyFromSeed(1), 10)]).toEqual([3, 5, 2, 6, 9, 1, 8, 0, 7, 4]);
  });
});

describe("drawDistinct", () => {
  it("gives the first of the same order however many are asked for, each number once", () => {
    const all = drawDistinct(keyFromSeed(5), 50, 50);
    expect([...all].sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => i));
    for (const count of [0, 1, 7, 49])
      expect(drawDistinct(keyFromSeed(5), count, 50)).toEqual(all.slice(0, count));
    expect(drawDistinct(keyFromSeed(5), 3, 2 ** 40).every((value) => value < 2 ** 40)).toBe(true);
  });

  it("gives each of the 12 ordered pairs of 4 equally often", () => {
    const draws = 24_000;
    const counts = new Map<string, number>();
    for (let i = 0; i < draws; i++) {
      const pair = drawDistinct(fold(keyFromSeed(3), i), 2, 4).join();
      counts.set(pair, (counts.get(pair) ?? 0) + 1);
    }
    expect(counts.size).toBe(12);
    const statistic = [...counts.values()].reduce((sum, count) => sum + (count - 2000) ** 2 / 2000, 0);
    // χ² with 11 degrees of freedom: mean 11, standard deviation √22 = 4.7; within 5 of them.
    expect(Math.abs(statistic - 11)).toBeLessThan(5 * Math.sqrt(22));
  });

  it("refuses more than there are", () => {
    expect(() => drawDistinct(keyFromSeed(1), 3, 2)).toThrow("ask for 2 at most");
  });
});
