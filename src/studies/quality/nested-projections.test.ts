import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { solveSymmetricSemidefinite } from "../../linalg/cholesky.ts";
import { nodeRuntime } from "../../runtime/node.ts";
import { nestedProjections } from "./nested-projections.ts";

const runtime = nodeRuntime({ threads: 1 });

async function squaresOf(gram: Float64Array, sides: readonly Float64Array[], dimension: number) {
  const projections = nestedProjections(runtime, sides[0]?.length ?? 0, dimension);
  try {
    return await projections.squares(gram, sides);
  } finally {
    await projections.release();
  }
}

/** Numbers in [−1, 1) from a linear congruential generator (Numerical Recipes). */
function uniformNumbers(seed: number, count: number): Float64Array {
  let state = seed >>> 0;
  return Float64Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

function products(rows: Float64Array, k: number): Float64Array {
  const n = rows.length / k;
  return Float64Array.from({ length: k * k }, (_, index) => {
    const [i, j] = [Math.floor(index / k), index % k];
    let sum = 0;
    for (let t = 0; t < n; t++) sum += (rows[i * n + t] as number) * (rows[j * n + t] as number);
    return sum;
  });
}

function along(rows: Float64Array, g: Float64Array, k: number): Float64Array {
  return Float64Array.from({ length: k }, (_, i) =>
    g.reduce((sum, value, t) => sum + value * (rows[i * g.length + t] as number), 0),
  );
}

describe("nestedProjections", () => {
  it("are dᵀG⁺d of every prefix, as the pivoted solver gives it", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 140 }),
        fc.integer({ min: 1, max: 160 }),
        fc.integer({ min: 0, max: 2 ** 31 }),
        fc.boolean(),
        async (k, n, seed, repeats) => {
          const rows = uniformNumbers(seed, k * n);
          // A repeated tangent adds nothing.
          if (repeats && k > 2) rows.copyWithin(n, 0, n);
          const sides = [new Float64Array(n).fill(1), uniformNumbers(seed + 1, n)];
          const gram = products(rows, k);
          const squares = await squaresOf(
            gram,
            sides.map((g) => along(rows, g, k)),
            n,
          );
          for (const [index, g] of sides.entries()) {
            const whole = g.reduce((sum, value) => sum + value * value, 0);
            for (let some = 1; some <= k; some++) {
              const d = along(rows, g, k).subarray(0, some);
              const part = new Float64Array(some * some);
              for (let i = 0; i < some; i++) part.set(gram.subarray(i * k, i * k + some), i * some);
              const c = new Float64Array(some);
              solveSymmetricSemidefinite(part, d, c);
              const expected = d.reduce((sum, value, i) => sum + value * (c[i] as number), 0);
              const received = squares[index]?.[some - 1] as number;
              expect(Math.abs(received - expected)).toBeLessThan(1e-6 * whole);
            }
            if (k >= 2 * n + 2) expect(squares[index]?.[k - 1]).toBeCloseTo(whole, 6);
          }
        },
      ),
      { seed: 3, numRuns: 40 },
    );
  });

  it("never fall, and stop at the dimension", async () => {
    const rows = uniformNumbers(5, 100 * 7);
    const g = new Float64Array(7).fill(1);
    const [squares = new Float64Array()] = await squaresOf(products(rows, 100), [along(rows, g, 100)], 7);
    for (let i = 1; i < 100; i++) expect(squares[i]).toBeGreaterThanOrEqual(squares[i - 1] as number);
    expect(squares[6]).toBeCloseTo(7, 9);
    expect(squares[99]).toBe(squares[6]);
  });

  it("refuse lengths that disagree", async () => {
    await expect(squaresOf(new Float64Array(5), [new Float64Array(2)], 3)).rejects.toThrow(
      "Projections of 2 tangents need a matrix of 4 numbers and sides of 2; received 5 and 2.",
    );
  });
});
