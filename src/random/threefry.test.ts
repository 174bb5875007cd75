import { describe, expect, it } from "vitest";
import { fold, type Key, keyFromSeed, threefry2x32 } from "./threefry.ts";

const hex = (words: readonly number[]) => words.map((word) => word.toString(16).padStart(8, "0")).join(" ");

describe("threefry2x32", () => {
  // Random123, tests/kat_vectors: counter, key, result. Its pi vector has the digits of pi in this order.
  it.each([
    [13, [0, 0], [0, 0], "9d1c5ec6 8bd50731"],
    [13, [0xffffffff, 0xffffffff], [0xffffffff, 0xffffffff], "fd36d048 2d17272c"],
    [13, [0x243f6a88, 0x85a308d3], [0x13198a2e, 0x03707344], "ba3e4725 f27d669e"],
    [20, [0, 0], [0, 0], "6b200159 99ba4efe"],
    [20, [0xffffffff, 0xffffffff], [0xffffffff, 0xffffffff], "1cb996fc bb002be7"],
    [20, [0x243f6a88, 0x85a308d3], [0x13198a2e, 0x03707344], "c4923a9c 483df7a0"],
    [32, [0, 0], [0, 0], "cee3d47e a23dfd5c"],
    [32, [0xffffffff, 0xffffffff], [0xffffffff, 0xffffffff], "6e2fe0d0 b1b76f82"],
    [32, [0x243f6a88, 0x85a308d3], [0x13198a2e, 0x03707344], "e2827716 c3c05cdf"],
  ] as [number, [number, number], Key, string][])(
    "gives the known answer of Random123: %i rounds, counter %s, key %s",
    (rounds, [counter0, counter1], key, expected) => {
      expect(hex(threefry2x32(key, counter0, counter1, rounds))).toBe(expected);
    },
  );

  it("uses 13 rounds unless told", () => {
    expect(threefry2x32([1, 2], 3, 4)).toEqual(threefry2x32([1, 2], 3, 4, 13));
  });
});

describe("keyFromSeed", () => {
  it("splits a seed into its low and high words", () => {
    expect(keyFromSeed(0)).toEqual([0, 0]);
    expect(keyFromSeed(2 ** 32 - 1)).toEqual([0xffffffff, 0]);
    expect(keyFromSeed(Number.MAX_SAFE_INTEGER)).toEqual([0xffffffff, 0x1fffff]);
  });

  it.each([-1, 0.5, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY])("refuses %d", (seed) => {
    expect(() => keyFromSeed(seed)).toThrow(
      `A seed must be a whole number from 0 to 2^53 - 1, received ${seed}.`,
    );
  });
});

describe("fold", () => {
  it("depends on every bit of the key and of the value, and on the order", () => {
    const keys = [
      fold([1, 2], 0),
      fold([1, 2], 1),
      fold([1, 2], 2 ** 32),
      fold([2, 1], 0),
      fold(fold([1, 2], 3), 4),
      fold(fold([1, 2], 4), 3),
    ];
    expect(new Set(keys.map(hex)).size).toBe(keys.length);
  });

  it("makes keys of 32-bit words", () => {
    for (const word of fold([0xffffffff, 0x80000000], Number.MAX_SAFE_INTEGER)) {
      expect(word).toBe(word >>> 0);
    }
  });

  it("keeps these bytes", () => {
    expect(hex(fold(fold(keyFromSeed(42), 1), 2))).toBe("e6ae2032 944ad4c4");
  });
});
