import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fillNormal } from "../src/random/normal.ts";
import { fillRademacher } from "../src/random/rademacher.ts";
import { fold, type Key, keyFromSeed, threefry2x32 } from "../src/random/threefry.ts";
import { fillUniform } from "../src/random/uniform.ts";
import { fillWords } from "../src/random/words.ts";

type Numbers = Float32Array | Uint32Array;

/** Writes numbers start, start + 1, … of a stream into a new array, of which they fill [margin, margin + count). */
type Draw = (key: Key, start: number, count: number, margin?: number) => Numbers;

function drawFloats(fill: (key: Key, start: number, out: Float32Array, scale?: number) => void): Draw {
  return (key, start, count, margin = 0) => {
    const memory = new Float32Array(count + 2 * margin);
    fill(key, start, memory.subarray(margin, margin + count), 1.5);
    return memory;
  };
}

const drawWords: Draw = (key, start, count, margin = 0) => {
  const memory = new Uint32Array(count + 2 * margin);
  fillWords(key, start, memory.subarray(margin, margin + count));
  return memory;
};

const draws: Record<string, { draw: Draw; hash: string }> = {
  words: { draw: drawWords, hash: "ff3df1c7fbae3d56" },
  uniform: { draw: drawFloats(fillUniform), hash: "8624aeb7e8a790d2" },
  normal: { draw: drawFloats(fillNormal), hash: "b191bb811770cc7b" },
  rademacher: { draw: drawFloats(fillRademacher), hash: "2b774fe558e40642" },
};

describe.each(Object.entries(draws))("%s", (_name, { draw, hash }) => {
  it("keeps its bytes", () => {
    const numbers = draw(keyFromSeed(7), 3, 10_000);
    const bytes = new Uint8Array(numbers.buffer);
    expect(createHash("sha256").update(bytes).digest("hex").slice(0, 16)).toBe(hash);
  });

  it("gives number i of a stream the same value however a range is cut into calls", () => {
    const starts = fc.oneof(
      fc.integer({ min: 0, max: 300 }),
      fc.integer({ min: 2 ** 31 - 150, max: 2 ** 31 + 150 }),
      // Pair 2³² is number 2³³, sign 2³² · 64 the first with a high counter word.
      fc.integer({ min: 2 ** 33 - 150, max: 2 ** 33 + 150 }),
      fc.integer({ min: 2 ** 38 - 150, max: 2 ** 38 + 150 }),
      fc.integer({ min: 2 ** 52, max: 2 ** 52 + 150 }),
    );
    const cuts = fc.array(fc.integer({ min: 0, max: 70 }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 31 }), starts, cuts, (seed, start, lengths) => {
        const key = fold(keyFromSeed(seed), 1);
        const whole = draw(
          key,
          start,
          lengths.reduce((sum, length) => sum + length, 0),
        );
        let index = 0;
        for (const length of lengths) {
          expect(draw(key, start + index, length)).toEqual(whole.slice(index, index + length));
          index += length;
        }
      }),
      { seed: 1, numRuns: 300 },
    );
  });

  it("gives different numbers to different keys", () => {
    const first = draw([1, 2], 0, 100).join();
    for (const key of [
      [2, 2],
      [1, 3],
      [2, 1],
    ] as Key[])
      expect(draw(key, 0, 100).join()).not.toBe(first);
  });

  it("fills a view and nothing outside of it", () => {
    const memory = draw([1, 2], 5, 21, 10);
    expect([...memory.slice(10, 31)]).toEqual([...draw([1, 2], 5, 21)]);
    expect([...memory.slice(0, 10), ...memory.slice(31)].every((value) => value === 0)).toBe(true);
  });
});

describe("words", () => {
  it("are those of the readable threefry, beyond the low counter word too", () => {
    for (const first of [0, 2 ** 32 - 3, 2 ** 40 + 5]) {
      const words = drawWords([0x89abcdef, 0xfedcba98], 2 * first, 12);
      const expected = Array.from({ length: 6 }, (_, i) => {
        const counter = first + i;
        return threefry2x32([0x89abcdef, 0xfedcba98], counter >>> 0, Math.floor(counter / 2 ** 32));
      }).flat();
      expect([...words]).toEqual(expected);
    }
  });
});

describe("uniform", () => {
  it("is the top 24 bits of each word", () => {
    const words = new Uint32Array(101);
    fillWords([5, 6], 3, words);
    const numbers = new Float32Array(101);
    fillUniform([5, 6], 3, numbers);
    expect([...numbers]).toEqual([...words].map((word) => (word >>> 8) / 2 ** 24));
  });

  it("fills 64 equal bins evenly", () => {
    const count = 640_000;
    const numbers = new Float32Array(count);
    fillUniform(keyFromSeed(1), 0, numbers);
    const bins = new Float64Array(64);
    for (const value of numbers) {
      const bin = Math.floor(value * 64);
      bins[bin] = (bins[bin] as number) + 1;
    }
    const expected = count / 64;
    const statistic = bins.reduce((sum, bin) => sum + (bin - expected) ** 2 / expected, 0);
    // χ² with 63 degrees of freedom: mean 63, standard deviation √126 = 11.2; within 5 of them.
    expect(Math.abs(statistic - 63)).toBeLessThan(5 * Math.sqrt(126));
  });
});

describe("rademacher", () => {
  it("gives ±scale only, one bit a number, balanced and without memory", () => {
    const count = 2 ** 20;
    const signs = new Float32Array(count);
    fillRademacher(keyFromSeed(3), 0, signs, 0.5);
    expect(signs.every((value) => Math.abs(value) === 0.5)).toBe(true);
    for (const lag of [0, 1, 2, 31, 32, 33, 63, 64, 65]) {
      let sum = 0;
      for (let i = lag; i < count; i++) {
        sum += lag === 0 ? 2 * (signs[i] as number) : 4 * (signs[i] as number) * (signs[i - lag] as number);
      }
      // Sums of independent signs have standard deviation √count; within 5 of them.
      expect(Math.abs(sum)).toBeLessThan(5 * Math.sqrt(count));
    }
  });

  it("takes 64 signs from one counter", () => {
    const [low, high] = threefry2x32([8, 9], 1, 0);
    const signs = new Float32Array(64);
    fillRademacher([8, 9], 64, signs);
    const expected = [low, high].flatMap((word) =>
      Array.from({ length: 32 }, (_, bit) => ((word >>> bit) & 1 ? -1 : 1)),
    );
    expect([...signs]).toEqual(expected);
  });
});
