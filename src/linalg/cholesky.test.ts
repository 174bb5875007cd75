import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { choleskyWorkspace, solveSymmetricSemidefinite } from "./cholesky.ts";

/** Numbers in [−1, 1) that need no other folder: a linear congruential generator (Numerical Recipes). */
function uniformNumbers(seed: number, count: number): Float64Array {
  let state = seed >>> 0;
  return Float64Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

/** Sums of twelve uniform numbers: normal enough for condition numbers. */
function gaussianNumbers(seed: number, count: number): Float64Array {
  const uniform = uniformNumbers(seed, 12 * count);
  return Float64Array.from({ length: count }, (_, i) =>
    uniform.subarray(12 * i, 12 * i + 12).reduce((sum, value) => sum + value / 2, 0),
  );
}

function dot(a: Float64Array, b: Float64Array): number {
  return a.reduce((sum, value, i) => sum + value * (b[i] as number), 0);
}

/** Rows of V [k, n] → G = V Vᵀ and d = V g. */
function project(rows: Float64Array[], g: Float64Array, relativeTolerance?: number) {
  const k = rows.length;
  const gram = new Float64Array(k * k);
  rows.forEach((a, i) => {
    rows.forEach((b, j) => {
      if (j <= i) {
        gram[i * k + j] = dot(a, b);
        gram[j * k + i] = gram[i * k + j] as number;
      }
    });
  });
  const right = Float64Array.from(rows, (row) => dot(row, g));
  const solution = new Float64Array(k);
  const rank = solveSymmetricSemidefinite(gram, right, solution, undefined, relativeTolerance);
  const estimate = new Float64Array(g.length);
  rows.forEach((row, i) => {
    for (let j = 0; j < row.length; j++)
      estimate[j] = (estimate[j] as number) + (solution[i] as number) * (row[j] as number);
  });
  return { gram, right, solution, rank, estimate };
}

function rowsOf(numbers: Float64Array, k: number): Float64Array[] {
  const n = numbers.length / k;
  return Array.from({ length: k }, (_, i) => numbers.subarray(i * n, (i + 1) * n));
}

function cosine(a: Float64Array, b: Float64Array): number {
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

/** The largest |ĝ − expected| as a part of |expected|. */
function distance(estimate: Float64Array, expected: Float64Array): number {
  const difference = estimate.map((value, i) => value - (expected[i] as number));
  return Math.sqrt(dot(difference, difference) / dot(expected, expected));
}

describe("solveSymmetricSemidefinite", () => {
  it("solves a system worked by hand", () => {
    const solution = new Float64Array(2);
    const rank = solveSymmetricSemidefinite(Float64Array.of(2, 1, 1, 3), Float64Array.of(3, 5), solution);
    expect(rank).toBe(2);
    expect(solution[0]).toBeCloseTo(0.8, 15);
    expect(solution[1]).toBeCloseTo(1.4, 15);
  });

  it.each([
    [64, 1],
    [64, 2],
    [64, 3],
    [256, 1],
    [256, 2],
    [512, 1],
    [512, 2],
  ])("recovers the gradient from n = k = %i Gaussian tangents, seed %i", (n, seed) => {
    const g = gaussianNumbers(seed + 1000, n);
    const { rank, estimate } = project(rowsOf(gaussianNumbers(seed, n * n), n), g);
    expect(rank).toBe(n);
    expect(cosine(estimate, g)).toBeGreaterThanOrEqual(1 - 1e-6);
    expect(distance(estimate, g)).toBeLessThan(1e-6);
  });

  it("solves the 12×12 Hilbert matrix, condition number 1.6e16, with a residual at rounding level", () => {
    const size = 12;
    const gram = Float64Array.from(
      { length: size * size },
      (_, i) => 1 / ((i % size) + Math.floor(i / size) + 1),
    );
    const right = Float64Array.from({ length: size }, (_, i) =>
      dot(gram.subarray(i * size, (i + 1) * size), new Float64Array(size).fill(1)),
    );
    const solution = new Float64Array(size);
    solveSymmetricSemidefinite(gram, right, solution);
    for (let i = 0; i < size; i++) {
      expect(dot(gram.subarray(i * size, (i + 1) * size), solution)).toBeCloseTo(right[i] as number, 12);
    }
  });

  it("projects on the span when k < n: the rest is orthogonal to every tangent", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 0, max: 2 ** 31 }), (k, seed) => {
        const n = 20;
        const rows = rowsOf(gaussianNumbers(seed, k * n), k);
        const g = gaussianNumbers(seed + 1, n);
        const { rank, estimate } = project(rows, g);
        expect(rank).toBe(k);
        const rest = g.map((value, i) => value - (estimate[i] as number));
        for (const row of rows) expect(Math.abs(dot(rest, row))).toBeLessThan(1e-9);
      }),
      { seed: 1, numRuns: 50 },
    );
  });

  it("gives repeated tangents the answer without the repetition", () => {
    const rows = rowsOf(gaussianNumbers(7, 3 * 10), 3);
    const g = gaussianNumbers(8, 10);
    const expected = project(rows, g).estimate;
    const { rank, estimate } = project([...rows, ...rows, rows[0] as Float64Array], g);
    expect(rank).toBe(3);
    expect(distance(estimate, expected)).toBeLessThan(1e-12);
  });

  it("moves by no more than the last bits when repeated tangents disagree in theirs", () => {
    const rows = rowsOf(gaussianNumbers(7, 3 * 10), 3);
    const g = gaussianNumbers(8, 10);
    const { gram, right, estimate } = project([...rows, ...rows], g);
    const moved = right.map((value, i) => (i < 3 ? value : value * (1 + 2 ** -23)));
    const solution = new Float64Array(6);
    solveSymmetricSemidefinite(gram, moved, solution);
    const again = new Float64Array(10);
    [...rows, ...rows].forEach((row, i) => {
      for (let j = 0; j < 10; j++)
        again[j] = (again[j] as number) + (solution[i] as number) * (row[j] as number);
    });
    expect(distance(again, estimate)).toBeLessThan(1e-5);
    expect(Math.max(...solution.map(Math.abs))).toBeLessThan(100);
  });

  it.each([1, 2, 3])("recovers the gradient from k = 2n Gaussian tangents, seed %i", (seed) => {
    const g = gaussianNumbers(seed + 50, 32);
    const { rank, estimate } = project(rowsOf(gaussianNumbers(seed, 64 * 32), 64), g);
    expect(rank).toBe(32);
    expect(distance(estimate, g)).toBeLessThan(1e-10);
  });

  it("gives the least-squares answer for 8 sign tangents in 4 dimensions, whatever their rank", () => {
    const ranks = new Set<number>();
    for (let seed = 0; seed < 40; seed++) {
      const rows = rowsOf(uniformNumbers(seed, 32).map(Math.sign), 8);
      const g = gaussianNumbers(seed + 90, 4);
      const { rank, estimate } = project(rows, g);
      ranks.add(rank);
      const rest = g.map((value, i) => value - (estimate[i] as number));
      for (const row of rows) expect(Math.abs(dot(rest, row))).toBeLessThan(1e-12);
      if (rank === 4) expect(distance(estimate, g)).toBeLessThan(1e-12);
    }
    expect(ranks).toContain(4);
  });

  it("drops what float32 rounding left of a dependent tangent when told the matrix's precision", () => {
    const rows = rowsOf(gaussianNumbers(3, 3 * 50), 3);
    const [a, b, c] = rows as [Float64Array, Float64Array, Float64Array];
    const dependent = [a, b, c, a.map((value, i) => value + (b[i] as number) - (c[i] as number))];
    const { gram, right } = project(dependent, gaussianNumbers(4, 50));
    const rounded = gram.map(Math.fround);
    const solution = new Float64Array(4);
    expect(solveSymmetricSemidefinite(rounded, right, solution, undefined, 4 * 2 ** -23)).toBe(3);
  });

  it("returns rank 0 and zeros for the zero matrix, and takes k = 0", () => {
    const solution = Float64Array.of(5, 5);
    expect(solveSymmetricSemidefinite(new Float64Array(4), Float64Array.of(1, 2), solution)).toBe(0);
    expect([...solution]).toEqual([0, 0]);
    expect(solveSymmetricSemidefinite(new Float64Array(0), new Float64Array(0), new Float64Array(0))).toBe(0);
  });

  it("gives the same bytes with a used workspace, and when the solution overwrites the right side", () => {
    const workspace = choleskyWorkspace(6);
    const first = project(rowsOf(gaussianNumbers(1, 60), 6), gaussianNumbers(2, 10));
    const second = project(rowsOf(gaussianNumbers(3, 60), 6), gaussianNumbers(4, 10));
    for (const { gram, right, solution } of [first, second, first]) {
      const written = right.slice();
      solveSymmetricSemidefinite(gram, written, written, workspace);
      expect(written).toEqual(solution);
    }
  });

  it("leaves the matrix as it is", () => {
    const { gram, right, solution } = project(rowsOf(gaussianNumbers(1, 60), 6), gaussianNumbers(2, 10));
    const before = gram.slice();
    solveSymmetricSemidefinite(gram, right, solution);
    expect(gram).toEqual(before);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])("refuses %d", (value) => {
    const identity = () => Float64Array.of(1, 0, 0, 1);
    const solution = new Float64Array(2);
    const gram = identity();
    gram[2] = value;
    expect(() => solveSymmetricSemidefinite(gram, Float64Array.of(1, 1), solution)).toThrow(
      `Solving G c = d needs finite numbers, received G[1, 0] = ${value}.`,
    );
    expect(() => solveSymmetricSemidefinite(identity(), Float64Array.of(1, value), solution)).toThrow(
      `Solving G c = d needs finite numbers, received d[1] = ${value}.`,
    );
  });

  it("refuses lengths that disagree", () => {
    const two = () => new Float64Array(2);
    expect(() => solveSymmetricSemidefinite(new Float64Array(5), two(), two())).toThrow(
      "A system of 2 equations needs a matrix of 4 numbers, a solution of 2 and a workspace of size 2; " +
        "received 5, 2 and 2.",
    );
    expect(() => solveSymmetricSemidefinite(new Float64Array(4), two(), new Float64Array(3))).toThrow(
      "received 4, 3",
    );
    expect(() => solveSymmetricSemidefinite(new Float64Array(4), two(), two(), choleskyWorkspace(3))).toThrow(
      "received 4, 2 and 3",
    );
  });
});
