/** What the study of quality claims, held against what it measured. */
import { distanceInErrors, qualityReference } from "../reference.ts";
import { type Moments, numberIn } from "../statistics.ts";
import type { Results, Row, Verdict } from "../study.ts";
import { firstNames } from "../wording.ts";
import type { QualitySettings } from "./batch.ts";
import { momentsIn } from "./batch.ts";
import { expectedQuality } from "./expected.ts";

type Summary = Results<QualitySettings>;

/** Two-sided 99 % of a normal distribution, in standard errors. */
const outsideAt = 2.576;

export function qualityVerdicts(results: Summary): readonly Verdict[] {
  return [
    growth(results),
    exactness(results),
    order(results),
    length(results),
    closedForms(results),
    reference(results),
  ];
}

const combinationOf = (row: Row) => JSON.stringify([row.n, row.gradient, row.aggregation, row.tangents]);

function growth({ summary, settings }: Summary): Verdict {
  const statement = "More tangents give a better estimate, however they are combined";
  const largest = Math.max(...settings.dimensions);
  const byCell = new Map(summary.map((row) => [`${combinationOf(row)}/${row.k}`, row]));
  const steps = summary.flatMap((row) => {
    const next = settings.tangents.filter((k) => k > numberIn(row, "k")).sort((a, b) => a - b)[0];
    const after = byCell.get(`${combinationOf(row)}/${next}`);
    return after ? [numberIn(after, "cosine_mean") - numberIn(row, "cosine_mean")] : [];
  });
  if (steps.length === 0)
    return { statement, holds: undefined, evidence: "it takes two numbers of tangents." };
  // A projection at k ≥ n gives 1 up to rounding, in float32 for few tangents.
  const falls = steps.filter((step) => step < -1e-6).length;
  return {
    statement,
    holds: falls === 0,
    evidence: `from each k to the next, the mean cosine rises or stays in ${steps.length - falls} of ${steps.length} cells, up to n = ${largest.toLocaleString("en")}.`,
  };
}

function exactness({ summary }: Summary): Verdict {
  const statement = "Projection recovers the gradient at k ≥ n";
  const cells = summary.filter(
    (row) => row.aggregation === "projection" && numberIn(row, "k") >= numberIn(row, "n"),
  );
  if (cells.length === 0) return { statement, holds: undefined, evidence: "no cell of this run has k ≥ n." };
  const worst = Math.max(...cells.map((row) => Math.abs(1 - numberIn(row, "cosine_mean"))));
  const samples = Math.min(...cells.map((row) => numberIn(row, "samples")));
  return {
    statement,
    holds: worst < 1e-6,
    evidence: `the mean cosine of ${cells.length} cells of at least ${samples} samples differs from 1 by at most ${worst.toExponential(0)}.`,
  };
}

function order({ summary }: Summary): Verdict {
  const statement = "Projection is at least as good as sum and mean";
  const projections = new Map(
    summary
      .filter((row) => row.aggregation === "projection")
      .map((row) => [`${row.n}/${row.k}/${row.gradient}`, row]),
  );
  const gaps = summary
    .filter((row) => row.aggregation === "mean")
    .map((row) => {
      const best = projections.get(`${row.n}/${row.k}/${row.gradient}`) as Row;
      return numberIn(best, "cosine_mean") - numberIn(row, "cosine_mean");
    });
  const worse = gaps.filter((gap) => gap < -1e-6).length;
  return {
    statement,
    holds: worse === 0,
    evidence: `on the same draws, its mean cosine is higher or equal in ${gaps.length - worse} of ${gaps.length} cells, by up to ${Math.max(...gaps).toFixed(2)}.`,
  };
}

function length({ summary }: Summary): Verdict {
  const longest = (aggregation: string) =>
    Math.max(
      ...summary
        .filter((row) => row.aggregation === aggregation)
        .map((row) => numberIn(row, "norm_ratio_mean")),
    );
  const projection = longest("projection");
  return {
    statement: "Projection never overshoots, sum and mean do",
    holds: projection <= 1 + 1e-6 && longest("mean") > 1,
    evidence:
      `the largest mean norm ratio is ${projection.toFixed(6)} for projection, ${round(longest("mean"))} for the mean ` +
      `and ${round(longest("sum"))} for the sum.`,
  };
}

/** Three digits, without a power of ten. */
function round(value: number): string {
  return Number(value.toPrecision(3)).toLocaleString("en");
}

/** How far a value is from what it should be, in standard errors, and whose draws it comes from. */
interface Distance {
  readonly errors: number;
  readonly n: number;
  readonly k: number;
}

/** The values of a row, by how far they are from others. */
function distancesOf(row: Row, cosine: Moments, normRatio: Moments): readonly Distance[] {
  const cell = { n: numberIn(row, "n"), k: numberIn(row, "k") };
  return [
    { ...cell, errors: distanceInErrors(momentsIn(row, "cosine"), cosine) },
    { ...cell, errors: distanceInErrors(momentsIn(row, "norm_ratio"), normRatio) },
  ];
}

/** How many of these distances are too large, in words. */
function describeDistances(
  distances: readonly Distance[],
  what: string,
): { holds: boolean; evidence: string } {
  const outside = distances.filter(({ errors }) => errors > outsideAt);
  const worst = Math.max(...distances.map(({ errors }) => errors));
  const share = ((100 * outside.length) / distances.length).toFixed(1);
  const pairs = new Set(distances.map(({ n, k }) => `${n}/${k}`)).size;
  const byDimension = [...new Set(outside.map(({ n }) => n))].map((dimension) => {
    const counts = new Set(outside.filter(({ n }) => n === dimension).map(({ k }) => k));
    return `n = ${dimension}, k = ${[...counts].sort((a, b) => a - b).join(", ")}`;
  });
  const positions =
    outside.length === 0
      ? ""
      : ` They belong to ${firstNames(byDimension)}; values of one of the ${pairs} pairs share their draws.`;
  return {
    holds: outside.length <= 0.03 * distances.length && worst < 5,
    evidence:
      `${outside.length} of ${distances.length} values (${share} %) are outside the 99 % interval ${what}, where chance gives ` +
      `1 % and 3 % are allowed; the farthest is ${worst.toFixed(1)} standard errors away (5 are allowed).${positions}`,
  };
}

function closedForms({ summary }: Summary): Verdict {
  const distances = summary.flatMap((row) => {
    const lengths = row.tangents === "normalized" ? "unit" : "as drawn";
    const aggregation = row.aggregation as "mean" | "sum" | "projection";
    const expected = expectedQuality(numberIn(row, "n"), numberIn(row, "k"), { aggregation, lengths });
    if (!expected.isExact) return [];
    const exactly = (mean: number) => ({ count: 1, mean, deviation: 0 });
    return distancesOf(row, exactly(expected.cosine), exactly(expected.normRatio));
  });
  return {
    statement: "The closed forms are right",
    ...describeDistances(distances, "around the closed form"),
  };
}

function reference({ summary }: Summary): Verdict {
  const statement = "The results are those of the authors' code";
  const cells = new Map(
    summary
      .filter((row) => row.gradient === "ones")
      .map((row) => [`${row.n}/${row.k}/${row.aggregation}/${row.tangents}`, row]),
  );
  const distances = qualityReference.rows.flatMap((there) => {
    // At k ≥ n the projection is exact here; there, the float32 inverse shows.
    if (there.aggregation === "projection" && there.k >= there.n) return [];
    const row = cells.get(`${there.n}/${there.k}/${there.aggregation}/${there.tangents}`);
    if (!row) return [];
    return distancesOf(row, there.cosine, there.normRatio);
  });
  if (distances.length === 0)
    return { statement, holds: undefined, evidence: "no cell of this run has a reference." };
  return { statement, ...describeDistances(distances, "of the difference") };
}
