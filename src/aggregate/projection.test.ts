import { describe, expect, it } from "vitest";
import { fillNormal } from "../random/normal.ts";
import { fold, type Key, keyFromSeed } from "../random/threefry.ts";
import { expectedProjectionCosine } from "./expected-cosine.ts";
import { projection } from "./projection.ts";

function normals(key: Key, count: number): Float32Array {
  const out = new Float32Array(count);
  fillNormal(key, 0, out);
  return out;
}

/**
 * The length of the estimate of ∇f = (1, 0, …, 0) from k Gaussian tangents; any fixed gradient has the same law. For a
 * projection it is also the cosine between the two.
 */
function estimateLength(key: Key, n: number, k: number, aggregator = projection()): number {
  const tangents = normals(key, k * n);
  const gram = new Float64Array(k * k);
  for (let i = 0; i < k; i++) {
    for (let j = 0; j <= i; j++) {
      let product = 0;
      for (let e = 0; e < n; e++)
        product += (tangents[i * n + e] as number) * (tangents[j * n + e] as number);
      gram[i * k + j] = product;
      gram[j * k + i] = product;
    }
  }
  const derivatives = Float64Array.from({ length: k }, (_, i) => tangents[i * n] as number);
  const coefficients = new Float64Array(k);
  aggregator.aggregate(derivatives, gram, coefficients, { dimension: n });
  let square = 0;
  for (let i = 0; i < k; i++)
    for (let j = 0; j < k; j++)
      square += (coefficients[i] as number) * (gram[i * k + j] as number) * (coefficients[j] as number);
  return Math.sqrt(square);
}

describe("projection", () => {
  it("solves G c = d", () => {
    const coefficients = new Float64Array(2);
    projection().aggregate(Float64Array.of(3, 5), Float64Array.of(2, 1, 1, 3), coefficients);
    expect(coefficients[0]).toBeCloseTo(0.8, 15);
    expect(coefficients[1]).toBeCloseTo(1.4, 15);
  });

  it("takes the relative tolerance from its options", () => {
    const gram = Float64Array.of(1, 1, 1, 1 + 1e-8);
    const derivatives = Float64Array.of(1, 1.001);
    const coefficients = new Float64Array(2);
    projection().aggregate(derivatives, gram, coefficients);
    expect(Math.abs(coefficients[0] as number)).toBeGreaterThan(1e4);
    projection({ relativeTolerance: 2 * 2 ** -23 }).aggregate(derivatives, gram, coefficients);
    expect(coefficients[0]).toBe(0);
    expect(coefficients[1]).toBeCloseTo(1.001, 6);
  });

  it("serves one number of tangents after another", () => {
    const aggregator = projection();
    for (const k of [4, 1, 4, 8]) {
      const key = fold(keyFromSeed(3), k);
      expect(estimateLength(key, 32, k, aggregator)).toBe(estimateLength(key, 32, k));
    }
  });

  it("refuses to work without a Gram matrix", () => {
    expect(() => projection().aggregate(new Float64Array(2), undefined, new Float64Array(2))).toThrow(
      "The aggregator 'projection' solves G c = d and received no Gram matrix G",
    );
  });

  it("keeps the first n of more tangents when asked, and gives the others nothing", () => {
    // In 2 dimensions: (1, 0) twice, then (0, 1); gradient (3, 5).
    const gram = Float64Array.of(1, 1, 0, 1, 1, 0, 0, 0, 1);
    const derivatives = Float64Array.of(3, 3, 5);
    const coefficients = new Float64Array(3).fill(Number.NaN);
    projection({ select: "first-n" }).aggregate(derivatives, gram, coefficients, { dimension: 2 });
    expect((coefficients[0] as number) + (coefficients[1] as number)).toBe(3);
    expect(coefficients[2]).toBe(0);
    projection().aggregate(derivatives, gram, coefficients, { dimension: 2 });
    expect(coefficients[2]).toBe(5);
    // As many as n or fewer: all of them.
    projection({ select: "first-n" }).aggregate(derivatives, gram, coefficients, { dimension: 3 });
    expect(coefficients[2]).toBe(5);
    expect(() => projection({ select: "first-n" }).aggregate(derivatives, gram, coefficients)).toThrow(
      "needs the dimension n",
    );
  });

  it.each([
    [16, 1],
    [16, 5],
    [256, 4],
  ])("with the expected length, is as long as the gradient on average: n = %i, k = %i", (n, k) => {
    const draws = 4000;
    const stream = fold(fold(keyFromSeed(17), n), k);
    const aggregator = projection({ expectedLength: true });
    const lengths = Array.from({ length: draws }, (_, i) =>
      estimateLength(fold(stream, i), n, k, aggregator),
    );
    const average = lengths.reduce((total, value) => total + value, 0) / draws;
    // E‖ĝ‖² = (k/n)/E[cos]²; the mean stays within 2.576 of its standard deviations with probability 99 %.
    const deviation = Math.sqrt((k / n / expectedProjectionCosine(n, k) ** 2 - 1) / draws);
    expect(Math.abs(average - 1)).toBeLessThan(2.576 * deviation);
  });

  it("counts independent tangents only for the expected length", () => {
    const plain = new Float64Array(2);
    const scaled = new Float64Array(2);
    const [derivatives, gram] = [Float64Array.of(3, 3), Float64Array.of(2, 2, 2, 2)];
    projection().aggregate(derivatives, gram, plain);
    projection({ expectedLength: true }).aggregate(derivatives, gram, scaled, { dimension: 3 });
    // One independent tangent in space: E[cos] = 1/2.
    expect(scaled[0]).toBeCloseTo(2 * (plain[0] as number), 12);
    expect(scaled[1]).toBeCloseTo(2 * (plain[1] as number), 12);
  });

  describe.each([16, 256, 1024])("in %i dimensions", (n) => {
    it.each([1, 4, 16])("has the expected cosine of the closed form with %i tangents", (k) => {
      const draws = Math.min(4000, Math.ceil(4e6 / (n * k)));
      const stream = fold(fold(keyFromSeed(2410), n), k);
      const cosines = Array.from({ length: draws }, (_, i) => estimateLength(fold(stream, i), n, k));
      const average = cosines.reduce((total, value) => total + value, 0) / draws;
      const expected = expectedProjectionCosine(n, k);
      // cos² is Beta(k/2, (n−k)/2) with mean k/n, so Var(cos) = k/n − E[cos]²; the mean of `draws` cosines stays within
      // 2.576 of its standard deviations with probability 99 %. At k = n only rounding is left, 2⁻⁵² times the condition
      // number of G: about 1e11 for the worst of 4000 square Gaussian matrices, which dominates the mean.
      const deviation = Math.sqrt(Math.max(0, k / n - expected ** 2) / draws);
      expect(Math.abs(average - expected)).toBeLessThan(2.576 * deviation + 1e-8);
    });
  });
});
