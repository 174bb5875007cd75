import { describe, expect, it } from "vitest";
import { fillNormal } from "./normal.ts";
import { fold, type Key, keyFromSeed, threefry2x32 } from "./threefry.ts";

const key: Key = [0x243f6a88, 0x13198a2e];

function normals(streamKey: Key, start: number, count: number, scale = 1): Float32Array {
  const out = new Float32Array(count);
  fillNormal(streamKey, start, out, scale);
  return out;
}

/** The counter that threefry2x32 takes to the given words: its 13 rounds backwards. */
function counterOf(word0: number, word1: number): [low: number, high: number] {
  const rotations = [13, 15, 26, 6, 17, 29, 16, 24] as const;
  const schedule = [key[0], key[1], key[0] ^ key[1] ^ 0x1bd11bda];
  let x0 = word0 | 0;
  let x1 = word1 | 0;
  for (let round = 12; round >= 0; round--) {
    if (round % 4 === 3) {
      const injection = (round + 1) / 4;
      x0 = (x0 - (schedule[injection % 3] as number)) | 0;
      x1 = (x1 - (schedule[(injection + 1) % 3] as number) - injection) | 0;
    }
    const rotation = rotations[round % 8] as number;
    const mixed = x1 ^ x0;
    x1 = (mixed >>> rotation) | (mixed << (32 - rotation));
    x0 = (x0 - x1) | 0;
  }
  return [(x0 - key[0]) >>> 0, (x1 - key[1]) >>> 0];
}

/** Box-Muller in float64 with the runtime's own functions, for the words of one counter. */
function expectedPair(word0: number, word1: number): [number, number] {
  // Signed words, the first one odd, rounded to float32: u in (0, 1] with a sign, and quarter turns from −1 to 1.
  const signed = Math.fround(word0 | 1);
  const radius = Math.sign(signed) * Math.sqrt(-2 * Math.log(Math.abs(signed) / 2 ** 31));
  const angle = (Math.fround(word1 | 0) / 2 ** 31) * (Math.PI / 2);
  return [radius * Math.cos(angle), radius * Math.sin(angle)];
}

/** Where the cosine of a counter stands in the stream; its sine is four places behind. */
function positionOf(counter: number): number {
  return 2 * counter - (counter % 4);
}

/** The error of the pair that the stream has for these words, or undefined when its index is beyond 2⁵³. */
function errorAt(word0: number, word1: number): number | undefined {
  const [low, high] = counterOf(word0, word1);
  if (high >= 2 ** 20) return undefined;
  const pair = normals(key, positionOf(high * 2 ** 32 + low), 5);
  const [a, b] = expectedPair(word0, word1);
  return Math.max(Math.abs((pair[0] as number) - a), Math.abs((pair[4] as number) - b));
}

describe("fillNormal", () => {
  it("is Box-Muller to 1e-6 over the words of 10⁶ numbers", () => {
    const numbers = normals(key, 0, 1_000_000);
    let worst = 0;
    for (let counter = 0; counter < numbers.length / 2; counter++) {
      const [a, b] = expectedPair(...threefry2x32(key, counter, 0));
      const index = positionOf(counter);
      worst = Math.max(
        worst,
        Math.abs((numbers[index] as number) - a),
        Math.abs((numbers[index + 4] as number) - b),
      );
    }
    expect(worst).toBeLessThan(1e-6);
  });

  it("is Box-Muller to 1e-6 for every exponent of the first word, at the ends of its mantissas and in every quadrant", () => {
    // Threefry is a bijection of counters, so the place in the stream where chosen words stand can be computed. Only
    // one counter in 4096 has an index below 2⁵³: the angle's low bits vary until one has.
    expect(counterOf(...threefry2x32(key, 123, 456))).toEqual([123, 456]);
    let worst = 0;
    let found = 0;
    for (let exponent = 0; exponent <= 31; exponent++) {
      const ends = [1, Math.SQRT1_2 + 1e-7, Math.SQRT1_2 - 1e-7, 0.5 + 1e-9];
      for (const mantissa of ends) {
        const size = Math.max(1, Math.floor(mantissa * 2 ** exponent) - 1);
        for (let octant = 0; octant < 16; octant++) {
          const word0 = (octant < 8 ? size : -size) >>> 0;
          let error: number | undefined;
          for (let low = 0; error === undefined && low < 100_000; low++) {
            const nearEnd = octant % 2 === 0 ? 0x1fffffff - low : 0x20000000 + low;
            error = errorAt(word0, ((((octant >>> 1) & 3) << 30) | nearEnd) >>> 0);
          }
          if (error === undefined) continue;
          found++;
          worst = Math.max(worst, error);
        }
      }
    }
    expect(found).toBeGreaterThan(32 * 4 * 16 * 0.99);
    expect(worst).toBeLessThan(1e-6);
  });

  it("multiplies by the scale", () => {
    const one = normals(key, 0, 1001);
    const scaled = normals(key, 0, 1001, 0.25);
    expect([...scaled]).toEqual([...one].map((value) => value * 0.25));
  });

  it("has the moments of the normal distribution", () => {
    const count = 4_000_000;
    const numbers = normals(keyFromSeed(11), 0, count);
    const moments = [0, 0, 0, 0];
    for (const value of numbers) {
      let power = 1;
      for (let order = 0; order < 4; order++) {
        power *= value;
        moments[order] = (moments[order] as number) + power / count;
      }
    }
    // Var(xʲ) = E[x²ʲ] − E[xʲ]²: 1, 2, 15 and 96; within 5 standard deviations of the mean of `count` numbers.
    const expected = [0, 1, 0, 3];
    const variance = [1, 2, 15, 96];
    moments.forEach((moment, order) => {
      const bound = 5 * Math.sqrt((variance[order] as number) / count);
      expect(Math.abs(moment - (expected[order] as number))).toBeLessThan(bound);
    });
  });

  it("passes the Kolmogorov-Smirnov test", () => {
    const count = 200_000;
    const sorted = normals(keyFromSeed(12), 1, count).sort();
    let distance = 0;
    sorted.forEach((value, i) => {
      const probability = normalDistribution(value);
      distance = Math.max(distance, (i + 1) / count - probability, probability - i / count);
    });
    // √N·D exceeds 2.23 with probability 2·exp(−2·2.23²) = 1e-4.
    expect(Math.sqrt(count) * distance).toBeLessThan(2.23);
  });

  it("has independent neighbours: in the stream, in the pair, in streams of neighbouring keys and seeds", () => {
    const count = 1_000_000;
    const base = keyFromSeed(5);
    const first = normals(fold(base, 0), 0, count);
    const others: Record<string, Float32Array> = {
      "index + 1": normals(fold(base, 0), 1, count),
      // Cosine and sine of one counter.
      "index + 4": normals(fold(base, 0), 4, count),
      "next fold": normals(fold(base, 1), 0, count),
      "next seed": normals(fold(keyFromSeed(6), 0), 0, count),
      "key with one other bit": normals([(fold(base, 0)[0] ^ 1) >>> 0, fold(base, 0)[1]], 0, count),
    };
    for (const [name, other] of Object.entries(others)) {
      let product = 0;
      let squares = 0;
      for (let i = 0; i < count; i++) {
        const a = first[i] as number;
        const b = other[i] as number;
        product += a * b;
        squares += (a * a - 1) * (b * b - 1);
      }
      // Var(ab) = 1 and Var((a² − 1)(b² − 1)) = 4; sums within 5 standard deviations.
      expect(Math.abs(product), name).toBeLessThan(5 * Math.sqrt(count));
      expect(Math.abs(squares), name).toBeLessThan(5 * Math.sqrt(4 * count));
    }
  });
});

/** Φ(x) to 1e-7 (Abramowitz and Stegun 26.2.17), far below the statistic's 1/√N. */
function normalDistribution(x: number): number {
  const t = 1 / (1 + 0.2316419 * Math.abs(x));
  const polynomial =
    t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  const tail = (Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI)) * polynomial;
  return x > 0 ? 1 - tail : tail;
}
