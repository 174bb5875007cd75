import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type AggregatorName, aggregators } from "./aggregators.ts";

// Small systems: k derivatives and k tangents in n = 8 dimensions.
const finite = fc.double({ min: -3, max: 3, noNaN: true });
const systems = fc.integer({ min: 1, max: 6 }).chain((k) =>
  fc.record({
    rows: fc.array(fc.array(finite, { minLength: 8, maxLength: 8 }), { minLength: k, maxLength: k }),
    gradient: fc.array(finite, { minLength: 8, maxLength: 8 }),
    other: fc.array(finite, { minLength: 8, maxLength: 8 }),
  }),
);

function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, value, i) => sum + value * (b[i] as number), 0);
}

function gramOf(rows: readonly (readonly number[])[]): Float64Array {
  return Float64Array.from(rows.flatMap((a) => rows.map((b) => dot(a, b))));
}

/** Aggregators that choose among the tangents by their derivatives. */
const selective = ["max", "max-normalized", "near-best"];

/** True when two tangents of this system are as good as each other, so that a choice among them depends on their order. */
function hasTies(rows: readonly (readonly number[])[], gradient: readonly number[]): boolean {
  const ranked = (values: number[]) => values.map(Math.abs).sort((a, b) => b - a);
  const derivatives = rows.map((row) => dot(row, gradient));
  const slopes = rows.map((row, i) => (derivatives[i] as number) / Math.sqrt(dot(row, row) || 1));
  return [ranked(derivatives), ranked(slopes)].some(([best = 0, second = 0]) => best - second <= 1e-9 * best);
}

describe.each(
  (Object.keys(aggregators) as AggregatorName[]).map((name) => [name, aggregators[name]()] as const),
)("%s", (name, aggregator) => {
  function coefficients(rows: readonly (readonly number[])[], gradient: readonly number[]): Float64Array {
    const written = new Float64Array(rows.length).fill(Number.NaN);
    const derivatives = Float64Array.from(rows, (row) => dot(row, gradient));
    aggregator.aggregate(derivatives, aggregator.usesGram ? gramOf(rows) : undefined, written, {
      dimension: gradient.length,
    });
    return written;
  }

  /** ĝ = V c: unlike c, the same whatever solution a rank-deficient system gets. */
  function estimate(rows: readonly (readonly number[])[], gradient: readonly number[]): number[] {
    const c = coefficients(rows, gradient);
    return gradient.map((_, j) =>
      rows.reduce((sum, row, i) => sum + (c[i] as number) * (row[j] as number), 0),
    );
  }

  function expectClose(received: readonly number[], expected: readonly number[]) {
    // Well-conditioned up to what random rows give; a wrong rule is off by far more.
    const size = Math.sqrt(dot(expected, expected)) + 1;
    for (const [i, value] of received.entries()) {
      expect(Math.abs(value - (expected[i] as number))).toBeLessThan(1e-5 * size);
    }
  }

  it("has its name in the list", () => {
    expect(aggregator.name).toBe(name);
  });

  it("writes k finite coefficients, whatever the tangents' rank", () => {
    fc.assert(
      fc.property(systems, ({ rows, gradient }) => {
        for (const some of [rows, [...rows, ...rows], rows.map((row) => row.map(() => 0))]) {
          const c = coefficients(some, gradient);
          expect(c).toHaveLength(some.length);
          expect(c.every(Number.isFinite)).toBe(true);
        }
      }),
      { seed: 1, numRuns: 100 },
    );
  });

  it("grows with the gradient: a·∇f gives a·ĝ", () => {
    fc.assert(
      fc.property(systems, finite, ({ rows, gradient }, factor) => {
        fc.pre(!hasTies(rows, gradient));
        expectClose(
          estimate(
            rows,
            gradient.map((value) => factor * value),
          ),
          estimate(rows, gradient).map((value) => factor * value),
        );
      }),
      { seed: 6, numRuns: 100 },
    );
  });

  it.skipIf(selective.includes(name))("is linear in the derivatives", () => {
    fc.assert(
      fc.property(systems, finite, ({ rows, gradient, other }, factor) => {
        const both = gradient.map((value, i) => value + factor * (other[i] as number));
        const apart = estimate(rows, other);
        expectClose(
          estimate(rows, both),
          estimate(rows, gradient).map((value, i) => value + factor * (apart[i] as number)),
        );
      }),
      { seed: 2, numRuns: 100 },
    );
  });

  it("does not depend on the order of the tangents", () => {
    fc.assert(
      fc.property(systems, ({ rows, gradient }) => {
        if (selective.includes(name)) fc.pre(!hasTies(rows, gradient));
        expectClose(estimate([...rows].reverse(), gradient), estimate(rows, gradient));
      }),
      { seed: 3, numRuns: 100 },
    );
  });

  it("follows the tangents' scale: c ∝ a without the Gram matrix, ĝ unchanged with it", () => {
    fc.assert(
      fc.property(systems, ({ rows, gradient }) => {
        const factor = 4;
        const scaled = rows.map((row) => row.map((value) => factor * value));
        const expected = estimate(rows, gradient).map((value) =>
          aggregator.usesGram ? value : factor * factor * value,
        );
        expectClose(estimate(scaled, gradient), expected);
      }),
      { seed: 4, numRuns: 100 },
    );
  });

  it("never points uphill: ⟨ĝ, ∇f⟩ ≥ 0", () => {
    fc.assert(
      fc.property(systems, ({ rows, gradient }) => {
        expect(dot(estimate(rows, gradient), gradient)).toBeGreaterThanOrEqual(-1e-9);
      }),
      { seed: 5, numRuns: 100 },
    );
  });

  it("recovers the gradient from one tangent of length 1 along it", () => {
    expectClose(estimate([[1]], [3]), [3]);
    // In 8 dimensions, tangents of length 1 lie along the gradient with a mean square of 1/8 only.
    const factor = name === "mean-times-dimension" ? 8 : 1;
    const expected = [0, 3 * factor, 0, 0, 0, 0, 0, 0];
    expectClose(estimate([[0, 1, 0, 0, 0, 0, 0, 0]], [0, 3, 0, 0, 0, 0, 0, 0]), expected);
  });

  it("leaves the derivatives and the Gram matrix as they are", () => {
    const derivatives = Float64Array.of(1, 2);
    const gram = Float64Array.of(2, 1, 1, 3);
    aggregator.aggregate(derivatives, gram, new Float64Array(2), { dimension: 8 });
    expect([...derivatives]).toEqual([1, 2]);
    expect([...gram]).toEqual([2, 1, 1, 3]);
  });

  it("refuses room for another number of coefficients", () => {
    expect(() =>
      aggregator.aggregate(new Float64Array(2), Float64Array.of(1, 0, 0, 1), new Float64Array(3)),
    ).toThrow(
      `The aggregator '${name}' writes one coefficient for each derivative; received 2 derivatives and an array of 3 ` +
        "coefficients.",
    );
  });
});
