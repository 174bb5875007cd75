/** What the study of quality claims, held against what it measured. */
import { agreementOf, distanceInErrors, distanceTail, outsideAt, qualityReference } from "../reference.ts";
import { falseAlarms, jointTail, jointTestText } from "../significance.ts";
import { type Moments, numberIn } from "../statistics.ts";
import type { Reason, Results, Row, Verdict } from "../study.ts";
import { undecided, verdictOf } from "../verdict.ts";
import { firstNames } from "../wording.ts";
import type { QualitySettings } from "./batch.ts";
import { momentsIn } from "./batch.ts";
import { expectedQuality } from "./expected.ts";
import { unbiased } from "./unbiased.ts";

type Summary = Results<QualitySettings>;

/** What mathematics proves can only fail here by a mistake. */
const proven: Reason = {
  fault: "ours",
  why: "this is a theorem, so the draws or the arithmetic of this library are wrong",
};

export function qualityVerdicts(results: Summary): readonly Verdict[] {
  return [
    growth(results),
    exactness(results),
    order(results),
    length(results),
    unbiased(results, proven),
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
    return after ? [{ before: momentsIn(row, "cosine"), after: momentsIn(after, "cosine") }] : [];
  });
  if (steps.length === 0) return undecided(statement, "it takes two numbers of tangents");
  // A projection at k ≥ n gives 1 up to rounding, in float32 for few tangents.
  const isFall = ({ before, after }: (typeof steps)[number]) => after.mean - before.mean < -1e-6;
  const falls = steps.filter(isFall).length;
  // The first draws of both are the same, so that their difference varies less than this supposes.
  const chance = jointTail(
    steps.map((step) => (isFall(step) ? distanceTail(step.before, step.after) : 1)),
    "any",
  );
  return verdictOf({
    statement,
    holds: chance >= falseAlarms,
    reason: {
      fault: "ours",
      why: "the closed forms grow with k, so the draws or the arithmetic of this library are wrong",
    },
    evidence:
      `from each k to the next, the mean cosine rises or stays in ${steps.length - falls} of ${steps.length} cells, up to n = ` +
      `${largest.toLocaleString("en")}${falls > 0 ? `; ${jointTestText(chance)}.` : "."}`,
  });
}

function exactness({ summary }: Summary): Verdict {
  const statement = "Projection recovers the gradient at k ≥ n";
  const cells = summary.filter(
    (row) => row.aggregation === "projection" && numberIn(row, "k") >= numberIn(row, "n"),
  );
  if (cells.length === 0) return undecided(statement, "no cell of this run has k ≥ n");
  const worst = Math.max(...cells.map((row) => Math.abs(1 - numberIn(row, "cosine_mean"))));
  const samples = Math.min(...cells.map((row) => numberIn(row, "samples")));
  return verdictOf({
    statement,
    holds: worst < 1e-6,
    reason: proven,
    evidence: `the mean cosine of ${cells.length} cells of at least ${samples} samples differs from 1 by at most ${worst.toExponential(0)}.`,
  });
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
  return verdictOf({
    statement,
    holds: worse === 0,
    reason: proven,
    evidence: `on the same draws, its mean cosine is higher or equal in ${gaps.length - worse} of ${gaps.length} cells, by up to ${Math.max(...gaps).toFixed(2)}.`,
  });
}

function length({ summary }: Summary): Verdict {
  const longest = (aggregation: string) =>
    Math.max(
      ...summary
        .filter((row) => row.aggregation === aggregation)
        .map((row) => numberIn(row, "norm_ratio_mean")),
    );
  const projection = longest("projection");
  const overshoots = longest("mean") > 1;
  return verdictOf({
    statement: "Projection never overshoots, sum and mean do",
    holds: projection <= 1 + 1e-6 && overshoots,
    reason: overshoots
      ? proven
      : { fault: "sample", why: "the mean overshoots only where n is larger than k" },
    evidence:
      `the largest mean norm ratio is ${projection.toFixed(6)} for projection, ${round(longest("mean"))} for the mean ` +
      `and ${round(longest("sum"))} for the sum.`,
  });
}

/** Three digits, without a power of ten. */
function round(value: number): string {
  return Number(value.toPrecision(3)).toLocaleString("en");
}

/** A value, what it should be, and whose draws it comes from. */
interface Comparison {
  readonly pair: readonly [Moments, Moments];
  readonly n: number;
  readonly k: number;
}

/** The values of a row next to what they should be. */
function comparisonsOf(row: Row, cosine: Moments, normRatio: Moments): readonly Comparison[] {
  const cell = { n: numberIn(row, "n"), k: numberIn(row, "k") };
  return [
    { ...cell, pair: [momentsIn(row, "cosine"), cosine] },
    { ...cell, pair: [momentsIn(row, "norm_ratio"), normRatio] },
  ];
}

/** Whether chance explains all of the distances, in words. */
function describeComparisons(
  comparisons: readonly Comparison[],
  what: string,
): { readonly holds: boolean; readonly evidence: string } {
  const { holds, worst, outside, test } = agreementOf(comparisons.map(({ pair }) => pair));
  const far = comparisons.filter(({ pair }) => distanceInErrors(...pair) > outsideAt);
  const share = ((100 * outside) / comparisons.length).toFixed(1);
  const pairs = new Set(comparisons.map(({ n, k }) => `${n}/${k}`)).size;
  const byDimension = [...new Set(far.map(({ n }) => n))].map((dimension) => {
    const counts = new Set(far.filter(({ n }) => n === dimension).map(({ k }) => k));
    return `n = ${dimension}, k = ${[...counts].sort((a, b) => a - b).join(", ")}`;
  });
  const positions =
    outside === 0
      ? ""
      : ` They belong to ${firstNames(byDimension)}; values of one of the ${pairs} pairs share their draws.`;
  return {
    holds,
    evidence:
      `${outside} of ${comparisons.length} values (${share} %) are outside the 99 % interval ${what}, and the farthest is ` +
      `${worst.toFixed(1)} standard errors away; ${test}.${positions}`,
  };
}

function closedForms({ summary }: Summary): Verdict {
  const comparisons = summary.flatMap((row) => {
    const lengths = row.tangents === "normalized" ? "unit" : "as drawn";
    const aggregation = row.aggregation as "mean" | "sum" | "projection";
    const expected = expectedQuality(numberIn(row, "n"), numberIn(row, "k"), { aggregation, lengths });
    if (!expected.isExact) return [];
    const exactly = (mean: number) => ({ count: 1, mean, deviation: 0 });
    return comparisonsOf(row, exactly(expected.cosine), exactly(expected.normRatio));
  });
  return verdictOf({
    statement: "The closed forms are right",
    ...describeComparisons(comparisons, "around the closed form"),
    reason: {
      fault: "ours",
      why: "a closed form, or the draws of this library, must be wrong: chance is ruled out",
    },
  });
}

function reference(results: Summary): Verdict {
  const statement = "The results are those of the authors' code";
  const cells = new Map(
    results.summary
      .filter((row) => row.gradient === "ones")
      .map((row) => [`${row.n}/${row.k}/${row.aggregation}/${row.tangents}`, row]),
  );
  const comparisons = qualityReference.rows.flatMap((there) => {
    // At k ≥ n the projection is exact here; there, the float32 inverse shows.
    if (there.aggregation === "projection" && there.k >= there.n) return [];
    const row = cells.get(`${there.n}/${there.k}/${there.aggregation}/${there.tangents}`);
    if (!row) return [];
    return comparisonsOf(row, there.cosine, there.normRatio);
  });
  if (comparisons.length === 0) return undecided(statement, "no cell of this run has a reference");
  return verdictOf({
    statement,
    ...describeComparisons(comparisons, "of the difference"),
    reason: closedForms(results).holds
      ? { fault: "paper", why: "the values here agree with the closed forms, and the authors' do not" }
      : { fault: "ours", why: "the values here disagree with the closed forms as well" },
  });
}
