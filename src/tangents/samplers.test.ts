import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fold, keyFromSeed } from "../random/threefry.ts";
import { combine } from "./combine.ts";
import { fixedAngle } from "./fixed-angle.ts";
import { exampleGram, gram } from "./gram.ts";
import { lowRank } from "./low-rank.ts";
import { innerProduct } from "./pieces.ts";
import type { Sampler } from "./sampler.ts";
import { defaultSampler, type SamplerName, samplers } from "./samplers.ts";
import { createSiteTangents, drawSiteTangents } from "./site-tangents.ts";
import { sphere } from "./sphere.ts";
import { standardBasis } from "./standard-basis.ts";
import { createTangentSet, drawTangents, rowOf, type TangentSet } from "./tangent-set.ts";

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
  { name: "fixed-angle at 15 degrees", sampler: fixedAngle({ degrees: 15 }) },
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
      // The last of three, so that what is arranged depends on others.
      const set = createTangentSet(shapes, 3, sampler);
      const draws = 20_000;
      const sum = new Float64Array(dimension * dimension);
      const squares = new Float64Array(dimension * dimension);
      for (let draw = 0; draw < draws; draw++) {
        drawTangents(set, fold(key, draw));
        const v = vectorOf(set, 2);
        for (let i = 0; i < dimension; i++)
          for (let j = 0; j < dimension; j++) {
            const product = (v[i] as number) * (v[j] as number);
            sum[i * dimension + j] = (sum[i * dimension + j] as number) + product;
            squares[i * dimension + j] = (squares[i * dimension + j] as number) + product * product;
          }
      }
      for (let index = 0; index < sum.length; index++) {
        const mean = (sum[index] as number) / draws;
        const error = Math.sqrt(Math.max((squares[index] as number) / draws - mean * mean, 0) / draws);
        const expected = index % (dimension + 1) === 0 ? 1 : 0;
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
      expect(draw(2, 2)).not.toEqual(draw(2, 1));
      expect(draw(2, 1)[0]).not.toEqual(draw(2, 1)[1]);
    });

    it("gives an example at the sites the numbers' own arrangement, whatever the batch size", () => {
      if (sampler.rank !== undefined) return;
      const sites = [
        { value: "a", size: 3 },
        { value: "b", size: 5 },
      ];
      const draw = (examples: number) => {
        const tangents = createSiteTangents(sites, 6, examples, sampler);
        drawSiteTangents(tangents, key);
        const matrix = new Float64Array(36);
        return [0, 1].map((example) => {
          exampleGram(tangents, example, matrix);
          return [...matrix];
        });
      };
      expect(draw(5)).toEqual(draw(2));
      const [one = [], two = []] = draw(2);
      const lengths = (matrix: number[]) => [0, 7, 14, 21, 28, 35].map((index) => matrix[index] as number);
      if (sampler.radius && sampler.name !== "varying-length")
        for (const square of [...lengths(one), ...lengths(two)]) expect(square).toBeCloseTo(8, 5);
      else expect(one).not.toEqual(two);
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
              const product = a.reduce((total, value, index) => total + value * (b[index] as number), 0);
              expect(matrix[i * count + j]).toBeCloseTo(product, 9);
            });
          });
          combined.forEach((value, index) => {
            const expected = vectors.reduce(
              (total, vector, i) => total + (coefficients[i] as number) * (vector[index] as number),
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

/** The cosines between all pairs of k tangents in the space of `shapes`. */
function cosines(sampler: Sampler, count: number): number[][] {
  const set = createTangentSet(shapes, count, sampler);
  drawTangents(set, key);
  const matrix = gram(set);
  const at = (i: number, j: number) => matrix[i * count + j] as number;
  return Array.from({ length: count }, (_, i) =>
    Array.from({ length: count }, (_, j) => at(i, j) / Math.sqrt(at(i, i) * at(j, j))),
  );
}

describe.each(["orthonormal", "standard-basis"] as const)("%s", (name) => {
  it("has orthogonal tangents of length √n, and further ones in blocks of n", () => {
    for (const count of [1, 2, 15, 16, 35]) {
      cosines(samplers[name](), count).forEach((row, i) => {
        row.forEach((value, j) => {
          const isSameBlock = Math.floor(i / dimension) === Math.floor(j / dimension);
          if (isSameBlock) expect(value).toBeCloseTo(i === j ? 1 : 0, 6);
        });
      });
    }
    // The second block is another draw.
    const set = createTangentSet(shapes, 32, samplers[name]());
    drawTangents(set, key);
    expect(vectorOf(set, 16)).not.toEqual(vectorOf(set, 0));
    for (let tangent = 0; tangent < 32; tangent++)
      expect(Math.hypot(...vectorOf(set, tangent))).toBeCloseTo(4, 5);
  });

  it("makes the mean of n tangents exact: Σ v vᵀ / n = I", () => {
    const set = createTangentSet(shapes, dimension, samplers[name]());
    drawTangents(set, key);
    const vectors = Array.from({ length: dimension }, (_, tangent) => vectorOf(set, tangent));
    for (let i = 0; i < dimension; i++)
      for (let j = 0; j < dimension; j++) {
        const mean = vectors.reduce((sum, v) => sum + (v[i] as number) * (v[j] as number), 0) / dimension;
        expect(mean).toBeCloseTo(i === j ? 1 : 0, 5);
      }
  });

  it("keeps orthogonality in a large space that the first tangents nearly fill", () => {
    const set = createTangentSet([{ name: "w", shape: [200] }], 200, samplers[name]());
    drawTangents(set, key);
    const matrix = gram(set);
    for (let i = 0; i < 200; i++)
      for (let j = 0; j < i; j++) expect(Math.abs(matrix[i * 200 + j] as number)).toBeLessThan(200 * 1e-6);
  });
});

describe("standard-basis", () => {
  it("gives unit vectors when asked, each direction once, equally likely", () => {
    const counts = new Array<number>(dimension).fill(0);
    for (let draw = 0; draw < 1600; draw++) {
      const set = createTangentSet(shapes, 3, standardBasis({ unit: true }));
      drawTangents(set, fold(key, draw));
      const positions = [0, 1, 2].map((tangent) => {
        const v = vectorOf(set, tangent);
        expect([...v].sort((a, b) => a - b)).toEqual([...new Array<number>(15).fill(0), 1]);
        return v.indexOf(1);
      });
      expect(new Set(positions).size).toBe(3);
      for (const index of positions) counts[index] = (counts[index] as number) + 1;
    }
    // 300 of 1,600 draws for each place, binomial with a standard deviation of 15.6; within 5 of them.
    for (const count of counts) expect(Math.abs(count - 300)).toBeLessThan(78);
  });
});

describe("fixed-angle", () => {
  it.each([15, 30, 45, 60, 75, 90])("has %i degrees between the first tangent and all others", (angle) => {
    const [first = []] = cosines(fixedAngle({ degrees: angle }), 9);
    for (const value of first.slice(1)) expect(Math.acos(value) * (180 / Math.PI)).toBeCloseTo(angle, 4);
    const set = createTangentSet(shapes, 9, fixedAngle({ degrees: angle }));
    drawTangents(set, key);
    for (let tangent = 0; tangent < 9; tangent++)
      expect(Math.hypot(...vectorOf(set, tangent))).toBeCloseTo(4, 5);
  });

  it("refuses other angles, and a space of one dimension", () => {
    expect(() => fixedAngle({ degrees: 0 })).toThrow("above 0 and at most 90 degrees, received 0");
    expect(() => fixedAngle({ degrees: 91 })).toThrow("received 91");
    const line = createTangentSet([{ name: "x", shape: [] }], 2, fixedAngle());
    expect(() => drawTangents(line, key)).toThrow("at least 2 dimensions");
  });
});

describe("varying-length", () => {
  it("has lengths uniform from 0 to √(3n)", () => {
    const set = createTangentSet(shapes, 4000, samplers["varying-length"]());
    drawTangents(set, key);
    const units = squaredLengths(set)
      .map((square) => Math.sqrt(square / (3 * dimension)))
      .sort((a, b) => a - b);
    // Kolmogorov-Smirnov: the largest distance from the uniform law stays below 1.95/√4000 in 99.9 % of draws.
    const distance = Math.max(...units.map((unit, index) => Math.abs(unit - (index + 0.5) / 4000)));
    expect(distance).toBeLessThan(1.95 / Math.sqrt(4000));
  });

  function squaredLengths(set: TangentSet): number[] {
    return Array.from({ length: set.count }, (_, tangent) => {
      const pieces = set.parts.map((part) => rowOf(part.tensor, tangent));
      return innerProduct(pieces, pieces);
    });
  }
});

describe.each([
  ["standard-basis", "51a0539a4298562a"],
  ["orthonormal", "c996bf1e9a5b2fb5"],
  ["fixed-angle", "55939628d32886f8"],
  ["varying-length", "eac2c9376c75d0a8"],
] as const)("%s", (name, hash) => {
  it("keeps its bytes, on every platform", () => {
    const set = createTangentSet(shapes, 20, samplers[name]());
    drawTangents(set, key);
    const digest = createHash("sha256");
    for (const { tensor } of set.parts) digest.update(new Uint8Array(tensor.data.buffer));
    expect(digest.digest("hex").slice(0, 16)).toBe(hash);
  });
});

describe("the default sampler", () => {
  it("draws signs where tangents are few for their dimension, normal numbers where they may have to span it", () => {
    expect(defaultSampler(16, 128).name).toBe("rademacher");
    expect(defaultSampler(17, 128).name).toBe("gaussian");
    expect(defaultSampler(1, 4).name).toBe("gaussian");
  });

  it("estimates with the variance that its docstring states: E‖ĝ‖² = (1 + (n − 1)/k)‖∇f‖², n + 1 for normal numbers", () => {
    const [n, k, draws] = [8, 1, 4000];
    const gradient = Float64Array.from({ length: n }, (_, index) => Math.sin(1 + index));
    const squared = gradient.reduce((sum, value) => sum + value * value, 0);
    for (const [sampler, excess] of [
      [defaultSampler(k, n), -1],
      [samplers.gaussian(), 1],
    ] as const) {
      const set = createTangentSet([{ name: "x", shape: [n] }], k, sampler);
      const ratios = Float64Array.from({ length: draws }, (_, draw) => {
        drawTangents(set, fold(key, draw));
        const rows = Array.from({ length: k }, (_, i) => vectorOf(set, i));
        const derivatives = rows.map((row) =>
          row.reduce((sum, v, j) => sum + v * (gradient[j] as number), 0),
        );
        const estimate = combine(
          set,
          Float64Array.from(derivatives, (d) => d / k),
        ).get("x") as Float64Array;
        return estimate.reduce((sum, value) => sum + value * value, 0) / squared;
      });
      const mean = ratios.reduce((sum, value) => sum + value, 0) / draws;
      const deviation = Math.sqrt(ratios.reduce((sum, value) => sum + (value - mean) ** 2, 0) / draws);
      // 5 standard errors of 4,000 draws, 1 in 2 million seeds: about 0.8 and 1.4, and the two are 2/k = 2 apart.
      expect(Math.abs(mean - (1 + (n + excess) / k))).toBeLessThan((5 * deviation) / Math.sqrt(draws));
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
    expect(() => createSiteTangents([], 1, 1, lowRank())).toThrow(
      "use another sampler, for example gaussian",
    );
  });
});

it("low-rank refuses a rank below 1 and factors of another kind", () => {
  expect(() => lowRank({ rank: 0 })).toThrow("whole number from 1, received 0");
  expect(() => lowRank({ factors: sphere() })).toThrow("gaussian or rademacher, received sphere");
});
