import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fold, keyFromSeed } from "../random/threefry.ts";
import { combine } from "./combine.ts";
import { gram } from "./gram.ts";
import { lowRank } from "./low-rank.ts";
import { type SamplerName, samplers } from "./samplers.ts";
import { createSiteTangents, drawSiteTangents } from "./site-tangents.ts";
import { sphere } from "./sphere.ts";
import { createTangentSet, drawTangents, type TangentSet } from "./tangent-set.ts";

const shapes = [
  { name: "w", shape: [3, 2, 2] },
  { name: "b", shape: [3] },
  { name: "s", shape: [] },
];
const dimension = 16;
const key = keyFromSeed(7);
const all = [
  ...(Object.keys(samplers) as SamplerName[]).map((name) => ({ name, sampler: samplers[name]() })),
  { name: "low-rank of rank 3", sampler: lowRank({ rank: 3 }) },
  { name: "low-rank with rademacher factors", sampler: lowRank({ factors: samplers.rademacher() }) },
];

/** Tangent i as one vector over all parameters: V c with a one-hot c. */
function vectorOf(set: TangentSet, tangent: number): number[] {
  const oneHot = new Float64Array(set.count);
  oneHot[tangent] = 1;
  return [...combine(set, oneHot).values()].flatMap((values) => [...values]);
}

for (const { name, sampler } of all) {
  describe(name, () => {
    it("satisfies E[v vᵀ] = I", () => {
      const set = createTangentSet(shapes, 1, sampler);
      const draws = 20_000;
      const sum = new Float64Array(dimension * dimension);
      const squares = new Float64Array(dimension * dimension);
      for (let draw = 0; draw < draws; draw++) {
        drawTangents(set, fold(key, draw));
        const v = vectorOf(set, 0);
        for (let i = 0; i < dimension; i++)
          for (let j = 0; j < dimension; j++) {
            const product = (v[i] as number) * (v[j] as number);
            sum[i * dimension + j] = (sum[i * dimension + j] as number) + product;
            squares[i * dimension + j] = (squares[i * dimension + j] as number) + product * product;
          }
      }
      for (let place = 0; place < sum.length; place++) {
        const mean = (sum[place] as number) / draws;
        const error = Math.sqrt(Math.max((squares[place] as number) / draws - mean * mean, 0) / draws);
        const expected = place % (dimension + 1) === 0 ? 1 : 0;
        // 256 entries, each normal with its measured standard error: 5 of them is one chance in 7,000 for a fixed seed.
        // Products of heavy-tailed factors converge more slowly, hence the small absolute part.
        expect(Math.abs(mean - expected)).toBeLessThan(5 * error + 1e-3);
      }
    });

    it("gives the same bytes for the same key, others for another, and does not depend on k", () => {
      const draw = (count: number, seed: number) => {
        const set = createTangentSet(shapes, count, sampler);
        drawTangents(set, keyFromSeed(seed));
        return [0, 1].map((tangent) => vectorOf(set, tangent));
      };
      expect(draw(2, 1)).toEqual(draw(2, 1));
      expect(draw(5, 1)).toEqual(draw(2, 1));
      expect(draw(2, 2)[0]).not.toEqual(draw(2, 1)[0]);
      expect(draw(2, 1)[0]).not.toEqual(draw(2, 1)[1]);
    });

    it("agrees with itself: the Gram matrix is that of the vectors, and V c their combination", () => {
      fc.assert(
        fc.property(fc.integer({ min: 1, max: 6 }), fc.nat(1000), (count, seed) => {
          const set = createTangentSet(shapes, count, sampler);
          drawTangents(set, keyFromSeed(seed));
          const vectors = Array.from({ length: count }, (_, tangent) => vectorOf(set, tangent));
          const matrix = gram(set);
          const coefficients = Float64Array.from({ length: count }, (_, index) => Math.sin(index + seed));
          const combined = [...combine(set, coefficients).values()].flatMap((values) => [...values]);
          vectors.forEach((a, i) => {
            vectors.forEach((b, j) => {
              const product = a.reduce((total, value, place) => total + value * (b[place] as number), 0);
              expect(matrix[i * count + j]).toBeCloseTo(product, 9);
            });
          });
          combined.forEach((value, place) => {
            const expected = vectors.reduce(
              (total, vector, i) => total + (coefficients[i] as number) * (vector[place] as number),
              0,
            );
            expect(value).toBeCloseTo(expected, 9);
          });
        }),
        { numRuns: 20 },
      );
    });
  });
}

describe("sphere", () => {
  it("has the radius √n, or 1 when asked", () => {
    for (const [sampler, radius] of [
      [sphere(), 4],
      [sphere({ unit: true }), 1],
    ] as const) {
      const set = createTangentSet(shapes, 3, sampler);
      drawTangents(set, key);
      for (let tangent = 0; tangent < 3; tangent++)
        expect(Math.hypot(...vectorOf(set, tangent))).toBeCloseTo(radius, 5);
    }
  });

  it("gives each example's tangent over all sites its radius", () => {
    const tangents = createSiteTangents(
      [
        { value: "a", size: 5 },
        { value: "b", size: 4 },
      ],
      2,
      3,
      sphere(),
    );
    drawSiteTangents(tangents, key);
    for (let row = 0; row < 6; row++) {
      const pieces = tangents.sites.flatMap(({ size, tensor }) => [
        ...tensor.data.subarray(row * size, (row + 1) * size),
      ]);
      expect(Math.hypot(...pieces)).toBeCloseTo(3, 5);
    }
  });
});

describe("tangents of sites", () => {
  it("of one example do not depend on how many others there are", () => {
    const draw = (examples: number) => {
      const tangents = createSiteTangents([{ value: "a", size: 5 }], 2, examples, samplers.gaussian());
      drawSiteTangents(tangents, key);
      return [...(tangents.sites[0]?.tensor.data.subarray(0, 10) ?? [])];
    };
    expect(draw(7)).toEqual(draw(2));
  });

  it("have no factors", () => {
    expect(() => createSiteTangents([], 1, 1, lowRank())).toThrow("use gaussian, rademacher or sphere");
  });
});

it("low-rank refuses a rank below 1 and factors of another kind", () => {
  expect(() => lowRank({ rank: 0 })).toThrow("whole number from 1, received 0");
  expect(() => lowRank({ factors: sphere() })).toThrow("gaussian or rademacher, received sphere");
});
