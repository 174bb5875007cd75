import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { mean } from "../../aggregate/mean.ts";
import { projection } from "../../aggregate/projection.ts";
import { sum } from "../../aggregate/sum.ts";
import { ofThoseCounted } from "./counted.ts";

const n = 12;
const tangentsOf = (numbers: readonly number[], k: number) =>
  Array.from({ length: k }, (_, i) => Array.from({ length: n }, (_, j) => numbers[i * n + j] as number));
const gramOf = (rows: readonly (readonly number[])[]) =>
  Float64Array.from(
    rows.flatMap((a) =>
      rows.map((b) => a.reduce((total, value, index) => total + value * (b[index] as number), 0)),
    ),
  );
const normals = fc.array(fc.double({ min: -2, max: 2, noNaN: true }), { minLength: 6 * n, maxLength: 6 * n });

describe("coefficients of the tangents that count", () => {
  it("are the whole aggregator's where all do", () => {
    const [d, c, whole] = [Float64Array.of(1, -2, 3), new Float64Array(3), new Float64Array(3)];
    ofThoseCounted(mean(), () => true).aggregate(d, undefined, c);
    mean().aggregate(d, undefined, whole);
    expect(c).toEqual(whole);
  });

  it("have closed forms: mean d/k', sum k/k' d, projection (k/k') d/n for orthogonal tangents of length √n", () => {
    const d = Float64Array.of(1, Number.NaN, 3, 5);
    const counted = (tangent: number) => tangent !== 1;
    const c = new Float64Array(4);
    ofThoseCounted(mean(), counted).aggregate(d, undefined, c, { dimension: n });
    expect([...c]).toEqual([1 / 3, 0, 1, 5 / 3]);
    ofThoseCounted(sum(), counted).aggregate(d, undefined, c, { dimension: n });
    expect([...c]).toEqual([4 / 3, 0, 4, 20 / 3].map((value) => expect.closeTo(value, 12)));
    const gram = Float64Array.from({ length: 16 }, (_, index) => (index % 5 === 0 ? n : 0));
    ofThoseCounted(projection(), counted).aggregate(d, gram, c, { dimension: n });
    for (const [index, value] of [4 / 3 / n, 0, 4 / n, 20 / 3 / n].entries())
      expect(c[index]).toBeCloseTo(value, 12);
    ofThoseCounted(mean(), () => false).aggregate(d, undefined, c, { dimension: n });
    expect([...c]).toEqual([0, 0, 0, 0]);
  });

  it("project on the span of those that count, times k/k', whichever those are", () => {
    fc.assert(
      fc.property(
        normals,
        normals,
        fc.uint8Array({ minLength: 6, maxLength: 6, max: 1 }),
        (numbers, g, mask) => {
          const rows = tangentsOf(numbers, 6);
          const gradient = g.slice(0, n);
          const d = Float64Array.from(rows, (row) =>
            row.reduce((total, v, j) => total + v * (gradient[j] as number), 0),
          );
          const few = rows.filter((_, i) => mask[i] === 1);
          const [c, own] = [new Float64Array(6), new Float64Array(few.length)];
          // What was not measured may be anything.
          const received = d.map((value, i) => (mask[i] === 1 ? value : Number.POSITIVE_INFINITY));
          ofThoseCounted(projection(), (i) => mask[i] === 1).aggregate(received, gramOf(rows), c, {
            dimension: n,
          });
          if (few.length > 0)
            projection().aggregate(
              d.filter((_, i) => mask[i] === 1),
              gramOf(few),
              own,
              { dimension: n },
            );
          const expected = Array.from(own, (value) => (value * 6) / few.length);
          expect([...c].filter((_, i) => mask[i] === 1)).toEqual(
            expected.map((value) => expect.closeTo(value, 9)),
          );
          expect([...c].filter((_, i) => mask[i] !== 1).every((value) => value === 0)).toBe(true);
        },
      ),
    );
  });
});
