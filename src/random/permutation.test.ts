import { describe, expect, it } from "vitest";
import { permutation } from "./permutation.ts";
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
