/** What the paper's authors measured of single estimates. */
import anglesTable from "./reference/angles-quality.json" with { type: "json" };
import qualityTable from "./reference/approximation-quality.json" with { type: "json" };
import { falseAlarms, freedomOf, jointTail, jointTestText, studentTail } from "./significance.ts";
import type { Moments } from "./statistics.ts";

/** What the authors' published code gave for one cell. */
export interface ReferenceRow {
  readonly n: number;
  readonly k: number;
  /** Degrees to the first tangent, in section 4.3. */
  readonly angle?: number;
  readonly aggregation: string;
  readonly tangents: "gaussian" | "normalized";
  readonly cosine: Moments;
  readonly normRatio: Moments;
}

/** Samples behind each row. */
const samples = 1000;

/** Section 4.1: n = 1 to 1,024, k = 1 to 64, gradient of ones. */
export const qualityReference = { source: qualityTable.source, rows: rowsOf(qualityTable) };

/** Section 4.3: n = 64, tangents at an angle to the first. */
export const anglesReference = { source: anglesTable.source, rows: rowsOf(anglesTable) };

function rowsOf({
  columns,
  rows,
}: {
  columns: readonly string[];
  rows: readonly (readonly unknown[])[];
}): readonly ReferenceRow[] {
  return rows.map((fields) => {
    const field = (name: string) => fields[columns.indexOf(name)];
    // The half-width is 1.96 standard errors.
    const moments = (name: string): Moments => ({
      count: samples,
      mean: Number(field(`${name}_mean`)),
      deviation: (Number(field(`${name}_ci95`)) / 1.96) * Math.sqrt(samples),
    });
    return {
      n: Number(field("n")),
      k: Number(field("k")),
      angle: columns.includes("angle_degrees") ? Number(field("angle_degrees")) : undefined,
      aggregation: String(field("aggregation")),
      tangents: field("normalized_tangents") === true ? "normalized" : "gaussian",
      cosine: moments("cosine"),
      normRatio: moments("norm_ratio"),
    };
  });
}

/** How far two measurements of one quantity are apart, in standard errors of their difference. */
export function distanceInErrors(a: Moments, b: Moments): number {
  const error = Math.sqrt(a.deviation ** 2 / a.count + b.deviation ** 2 / b.count);
  const apart = Math.abs(a.mean - b.mean);
  // Values printed with six decimals agree where neither varies.
  return apart <= 1.01e-6 * Math.max(1, Math.abs(b.mean)) ? 0 : apart / error;
}

/** How often chance parts these means so far, either way. */
export function distanceTail(a: Moments, b: Moments): number {
  return studentTail(distanceInErrors(a, b), freedomOf(a, b));
}

/** Two-sided 99 % of a normal distribution, in standard errors. */
export const outsideAt = 2.576;

/** What a test of means next to what they should be says. */
export interface Agreement {
  /** Chance explains all distances together. */
  readonly holds: boolean;
  /** The farthest, in standard errors. */
  readonly worst: number;
  /** How many are outside the 99 % interval. */
  readonly outside: number;
  /** The test, in words. */
  readonly test: string;
}

/** Tests all of these means at once, whatever draws they share. */
export function agreementOf(pairs: readonly (readonly [Moments, Moments])[]): Agreement {
  const errors = pairs.map(([own, other]) => distanceInErrors(own, other));
  const chance = jointTail(
    pairs.map(([own, other]) => distanceTail(own, other)),
    "any",
  );
  return {
    holds: chance >= falseAlarms,
    worst: Math.max(...errors),
    outside: errors.filter((distance) => distance > outsideAt).length,
    test: jointTestText(chance),
  };
}
