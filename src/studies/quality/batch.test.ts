import { describe, expect, it } from "vitest";
import { aggregators } from "../../aggregate/aggregators.ts";
import { projection } from "../../aggregate/projection.ts";
import { nodeRuntime } from "../../runtime/node.ts";
import { combine } from "../../tangents/combine.ts";
import { fixedAngle } from "../../tangents/fixed-angle.ts";
import { gaussian } from "../../tangents/gaussian.ts";
import { gram } from "../../tangents/gram.ts";
import { sphere } from "../../tangents/sphere.ts";
import { createTangentSet, drawTangents } from "../../tangents/tangent-set.ts";
import { numberIn, standardError } from "../statistics.ts";
import type { Environment } from "../study.ts";
import { type Batch, measureBatch, momentsIn, summarizeQuality } from "./batch.ts";
import { expectedAtAngle, expectedQuality, expectedVariance } from "./expected.ts";
import { nestedProjections } from "./nested-projections.ts";
import { combinations, derivativesOf, prefixQualities } from "./prefixes.ts";
import { rowProducts } from "./row-products.ts";

const runtime = nodeRuntime({ threads: 1 });
const environment = {
  runtime,
  signal: new AbortController().signal,
  advance: () => undefined,
} as unknown as Environment;

describe("prefixQualities", () => {
  it.each([
    [5, 9],
    [64, 16],
    [300, 12],
  ])("are what the library's samplers, aggregators and combine give, n = %i, k = %i", async (n, most) => {
    const gradient = Float64Array.from({ length: n }, (_, i) => Math.cos(i) + 0.2);
    const length = Math.hypot(...gradient);
    const products = await rowProducts(runtime, n, most);
    const set = createTangentSet([{ name: "x", shape: [n] }], most, gaussian());
    drawTangents(set, [7, n]);
    const rows = set.parts[0]?.tensor.data as Float32Array;
    const matrix = await products.gram(rows);
    await products.release();
    const d = [derivativesOf(rows, gradient, most)];
    const projections = nestedProjections(runtime, most, n);
    const projected = await projections.squares(matrix, d);
    await projections.release();
    const counts = [1, 2, 3, most];
    const [qualities = []] = prefixQualities(matrix, projected, d, [length], counts);
    expect(qualities).toHaveLength(counts.length * combinations.length);
    for (const { k, aggregation, lengths, cosine, normRatio } of qualities) {
      // The same tangents by another way: fewer of them, drawn anew, of length 1 by the sampler.
      const few = createTangentSet(
        [{ name: "x", shape: [n] }],
        k,
        lengths === "unit" ? sphere({ unit: true }) : gaussian(),
      );
      drawTangents(few, [7, n]);
      const slopes = derivativesOf(few.parts[0]?.tensor.data as Float32Array, gradient, k);
      const c = new Float64Array(k);
      const aggregator = aggregation === "projection" ? projection() : aggregators[aggregation]();
      aggregator.aggregate(slopes, gram(few), c);
      const estimate = combine(few, c).get("x") as Float64Array;
      const size = Math.hypot(...estimate);
      const inner = estimate.reduce((sum, value, i) => sum + value * (gradient[i] as number), 0);
      expect(cosine).toBeCloseTo(inner / (size * length), 5);
      expect(normRatio / (size / length)).toBeCloseTo(1, 5);
    }
  });
});

describe("rowProducts", () => {
  it.each([
    [3, 300],
    [700, 300],
    [3000, 300],
  ])("agree with the Gram matrix in float64, n = %i, k = %i", async (n, k) => {
    const set = createTangentSet([{ name: "x", shape: [n] }], k, gaussian());
    drawTangents(set, [1, 2]);
    const products = await rowProducts(runtime, n, k);
    const received = await products.gram(set.parts[0]?.tensor.data as Float32Array);
    await products.release();
    const expected = gram(set);
    let worst = 0;
    for (let i = 0; i < k; i++) {
      for (let j = 0; j <= i; j++)
        worst = Math.max(worst, Math.abs((received[i * k + j] as number) - (expected[i * k + j] as number)));
    }
    expect(worst / n).toBeLessThan(n >= 8 * k ? 1e-6 : 1e-14);
  });
});

const batch: Batch = {
  dimension: 24,
  counts: [1, 2, 6, 24, 60],
  sampler: gaussian(),
  key: [3, 5],
  first: 0,
  samples: 2000,
  batch: 0,
  gradients: ["ones", "random"],
  combinations,
};

describe("expectedQuality", () => {
  it("is what is measured: exact forms within 4.5 standard errors, the approximation within 2 %", async () => {
    const rows = summarizeQuality((await measureBatch(environment, batch)) ?? []);
    expect(rows).toHaveLength(2 * 5 * combinations.length);
    for (const row of rows) {
      const lengths = row.tangents === "normalized" ? "unit" : "as drawn";
      const aggregation = row.aggregation as "mean";
      const expected = expectedQuality(Number(row.n), Number(row.k), { aggregation, lengths });
      for (const [name, value] of [
        ["cosine", expected.cosine],
        ["norm_ratio", expected.normRatio],
      ] as const) {
        const measured = momentsIn(row, name);
        const error = Math.abs(measured.mean - value);
        const allowed = 4.5 * standardError(measured) + 1e-9 + (expected.isExact ? 0 : 0.02 * value);
        expect(error, JSON.stringify([row, value])).toBeLessThan(allowed);
      }
    }
  });

  it("says the gain and the variance that are measured, without bias, within 4.5 standard errors", async () => {
    const rows = summarizeQuality((await measureBatch(environment, batch)) ?? []);
    for (const row of rows) {
      const lengths = row.tangents === "normalized" ? "unit" : "as drawn";
      const combination = { aggregation: row.aggregation as "mean", lengths } as const;
      const expected = expectedVariance(Number(row.n), Number(row.k), combination);
      const off = (name: string, value: number) =>
        Math.abs(numberIn(row, name) - value) / (numberIn(row, `${name}_error`) + 1e-9);
      expect(off("variance", expected), JSON.stringify(row)).toBeLessThan(4.5);
      // (z² − 1)/√(4z² − 2) of an ā that is z = 4.5 standard errors from 1
      expect(off("bias_squared", 0), JSON.stringify(row)).toBeLessThan(2.2);
      expect(numberIn(row, "bias_squared_error")).toBeLessThan(0.02 * (1 + expected));
    }
  });

  it("is 1 in one dimension, whatever k", () => {
    for (const combination of combinations) {
      for (const k of [1, 2, 10]) expect(expectedQuality(1, k, combination).cosine).toBeCloseTo(1, 12);
    }
  });
});

describe("expectedAtAngle", () => {
  it.each([20, 55, 90])(
    "is what is measured within 12 % for two tangents and 7 % for more, at %i degrees",
    async (angle) => {
      const rows = await measureBatch(environment, {
        ...batch,
        counts: [1, 2, 6, 24],
        sampler: fixedAngle({ degrees: angle }),
        samples: 2000,
        gradients: ["ones"],
        combinations: combinations.filter(
          ({ aggregation, lengths }) => lengths === "unit" || aggregation === "projection",
        ),
      });
      for (const row of summarizeQuality(rows ?? [])) {
        const expected = expectedAtAngle(24, Number(row.k), angle, row.aggregation as "mean");
        for (const [name, value] of [
          ["cosine", expected.cosine],
          ["norm_ratio", expected.normRatio],
        ] as const) {
          const measured = momentsIn(row, name);
          const slack = expected.isExact ? 0 : value * (row.k === 2 ? 0.12 : 0.07);
          expect(Math.abs(measured.mean - value), JSON.stringify([row, value])).toBeLessThan(
            4.5 * standardError(measured) + 1e-9 + slack,
          );
        }
      }
    },
  );
});

describe("measureBatch", () => {
  it("makes a sample from its number alone, whatever the batches", async () => {
    const small = { ...batch, counts: [1, 4], samples: 6 };
    const together = summarizeQuality((await measureBatch(environment, small)) ?? []);
    const apart = [
      ...((await measureBatch(environment, { ...small, samples: 4 })) ?? []),
      ...((await measureBatch(environment, { ...small, first: 4, samples: 2, batch: 1 })) ?? []),
    ];
    for (const [index, row] of summarizeQuality(apart).entries()) {
      expect(row.samples).toBe(6);
      expect(row.cosine_mean).toBeCloseTo(Number(together[index]?.cosine_mean), 12);
      expect(row.norm_ratio_sd).toBeCloseTo(Number(together[index]?.norm_ratio_sd), 9);
    }
  });

  it("stops when asked to", async () => {
    const stopped = { ...environment, signal: AbortSignal.abort() };
    expect(await measureBatch(stopped, batch)).toBeUndefined();
  });
});
