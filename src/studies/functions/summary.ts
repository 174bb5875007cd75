/** Summaries, tables and verdicts of the study of closed-form functions. */
import { functions } from "../../functions/functions.ts";
import { methodHeading, methodIn, methodName } from "../methods.ts";
import { binomialTail, chanceText, falseAlarms } from "../significance.ts";
import { groupBy, numberIn } from "../statistics.ts";
import type { Column, Row, Table, Verdict } from "../study.ts";
import { undecided, verdictOf } from "../verdict.ts";
import { firstNames } from "../wording.ts";
import { allowedApart, chanceApart, gapOf, rangesOverlap } from "./comparison.ts";
import { functionReference } from "./reference.ts";
import { methodColumns, type ScalableFunction } from "./runs.ts";

/** Columns of summary.csv: one row a method, function and n. */
export const summaryRunColumns: readonly Column[] = [
  ...methodColumns,
  { name: "learning_rate", kind: "number", description: "factor of the estimate in each step" },
  { name: "seeds", kind: "number", description: "runs" },
  { name: "best_min", kind: "number", description: "lowest value of the best seed" },
  { name: "best_mean", kind: "number", description: "mean over the seeds of the lowest value" },
  { name: "best_max", kind: "number", description: "lowest value of the worst seed" },
  { name: "last_mean", kind: "number", description: "mean value at the end" },
  { name: "steps_mean", kind: "number", description: "mean number of steps" },
  { name: "seconds", kind: "number", description: "time of all seeds together" },
  { name: "diverged", kind: "number", description: "runs that ended at values that are not finite" },
  { name: "reference_min", kind: "number", description: "the authors' best seed", optional: true },
  { name: "reference_mean", kind: "number", description: "the authors' mean", optional: true },
  { name: "reference_max", kind: "number", description: "the authors' worst seed", optional: true },
  {
    name: "agrees",
    kind: "text",
    description: "yes or no: whether the two ranges over the seeds overlap",
    optional: true,
  },
];

export function summarizeRuns(rows: readonly Row[]): readonly Row[] {
  const runs = rows.filter(({ kind }) => kind === "run");
  return groupBy(runs, ["function", "n", "gradient", "k"]).map((group) => {
    const first = group[0] as Row;
    const all = (name: string) => group.map((row) => numberIn(row, name));
    const best = all("best");
    const [fn, n] = [String(first.function), numberIn(first, "n")];
    const reference = functionReference(fn, n, methodIn(first));
    return {
      ...Object.fromEntries(methodColumns.map(({ name }) => [name, first[name]])),
      learning_rate: first.learning_rate,
      seeds: group.length,
      best_min: Math.min(...best),
      best_mean: mean(best),
      best_max: Math.max(...best),
      last_mean: mean(all("last")),
      steps_mean: mean(all("steps")),
      seconds: all("seconds").reduce((sum, value) => sum + value, 0),
      diverged: group.filter(({ ending }) => ending === "diverged").length,
      reference_min: reference?.min,
      reference_mean: reference?.mean,
      reference_max: reference?.max,
      agrees: reference && (rangesOverlap(fn, n, best, reference) ? "yes" : "no"),
    };
  });
}

/** Mean lowest values by n and method, the authors' in brackets; then every cell that disagrees. */
export function functionTables(summary: readonly Row[]): readonly Table[] {
  const tables = groupBy(summary, ["function"]).map((rows): Table => {
    const name = rows[0]?.function as ScalableFunction;
    const methods = groupBy(rows, ["gradient", "k"]).map((group) => methodIn(group[0] as Row));
    return {
      title: `${functions[name].title}: mean lowest value (authors' code)`,
      header: ["n", ...methods.map(methodHeading)],
      rows: groupBy(rows, ["n"]).map((line) => [
        String(line[0]?.n),
        ...methods.map(({ gradient, k }) => {
          const row = line.find((cell) => cell.gradient === gradient && cell.k === k);
          if (!row) return "";
          const authors =
            row.reference_mean === undefined ? "" : ` (${short(numberIn(row, "reference_mean"))})`;
          const mark = row.agrees === "no" ? " ≠" : "";
          return `${short(numberIn(row, "best_mean"))}${authors}${mark}`;
        }),
      ]),
    };
  });
  const apart = summary.filter(({ agrees }) => agrees === "no");
  if (apart.length === 0) return tables;
  const range = (row: Row, of: string) =>
    `${short(numberIn(row, `${of}_min`))} to ${short(numberIn(row, `${of}_max`))}`;
  return [
    ...tables,
    {
      title: "Where the ranges over the seeds do not overlap (≠)",
      header: ["function", "n", "method", "here", "authors' code"],
      rows: apart.map((row) => [
        String(row.function),
        String(row.n),
        methodName(methodIn(row)),
        range(row, "best"),
        range(row, "reference"),
      ]),
    },
  ];
}

export function functionVerdicts(summary: readonly Row[], seeds: number): readonly Verdict[] {
  return [
    moreTangentsVerdict(summary),
    projectionVerdict(summary),
    ...groupBy(summary, ["function"]).map((rows) => referenceVerdict(rows, seeds)),
    finiteVerdict(summary),
  ];
}

function moreTangentsVerdict(summary: readonly Row[]): Verdict {
  const statement = "More tangents get closer to the minimum";
  const pairs = groupBy(
    summary.filter(({ gradient }) => gradient !== "exact"),
    ["function", "n", "gradient"],
  ).flatMap((rows) => {
    const sorted = [...rows].sort((a, b) => numberIn(a, "k") - numberIn(b, "k"));
    const [few, many] = [sorted[0], sorted.at(-1)];
    return few && many && few !== many ? comparison(many, few) : [];
  });
  if (pairs.length === 0) return undecided(statement, "it takes at least two numbers of tangents");
  const better = pairs.filter((ratio) => ratio < 1).length;
  // Nine of ten are to end lower; fewer refute it where chance would rarely let so few of nine in ten.
  const chance = binomialTail(pairs.length - better, pairs.length, 0.1);
  const isMost = better >= 0.9 * pairs.length;
  const isRefuted = !isMost && chance < falseAlarms;
  return verdictOf({
    statement,
    holds: isMost ? true : isRefuted ? false : undefined,
    reason: isRefuted
      ? {
          fault: "paper",
          why: "with the learning rates of the authors' search, the fewest tangents end lower too often",
        }
      : { fault: "sample", why: "the most tangents end lower in almost nine of ten, which may be chance" },
    evidence:
      `of ${pairs.length} combinations of function, n and aggregator in which the most and the fewest tangents end at ` +
      `different values, the most end lower in ${better}${isMost ? "" : `, where nine of ten would have a chance of ${chanceText(chance)} to be so few`}.`,
  });
}

function projectionVerdict(summary: readonly Row[]): Verdict {
  const statement = "Projection reaches what the mean of as many tangents reaches, or better";
  const ratios = summary
    .filter(({ gradient }) => gradient === "projection")
    .flatMap((row) => {
      const other = summary.find(
        (cell) =>
          cell.gradient === "mean" && cell.function === row.function && cell.n === row.n && cell.k === row.k,
      );
      return other ? comparison(row, other) : [];
    });
  if (ratios.length === 0) return undecided(statement, "no two methods of this run end at different values");
  const better = ratios.filter((ratio) => ratio < 1).length;
  const chance = binomialTail(ratios.length - better, ratios.length, 0.5);
  const test =
    better < ratios.length / 2 ? `, and a sign test gives so few a chance of ${chanceText(chance)}` : "";
  return verdictOf({
    statement,
    holds: chance >= falseAlarms,
    reason: {
      fault: "paper",
      why: "with the learning rates of the authors' search, the mean ends lower more often than chance would have it",
    },
    evidence:
      `of ${ratios.length} combinations of function, n and k that end at different values, projection ends lower in ` +
      `${better} (half would be no difference${test}; each method has its own learning rate).`,
  });
}

/** The ratio of two gaps above the minimum; none where they agree next to float32's precision. */
function comparison(row: Row, other: Row): readonly number[] {
  const gap = (cell: Row) => gapOf(String(cell.function), numberIn(cell, "n"), numberIn(cell, "best_mean"));
  const ratio = gap(row) / gap(other);
  return Math.abs(ratio - 1) < 1e-3 ? [] : [ratio];
}

function referenceVerdict(rows: readonly Row[], seeds: number): Verdict {
  const name = rows[0]?.function as ScalableFunction;
  return seedsVerdict(`${functions[name].title}: the results are those of the authors' code`, rows, seeds);
}

/** Whether the ranges over the seeds overlap, as often as those of two samples of one distribution would. */
export function seedsVerdict(statement: string, rows: readonly Row[], seeds: number): Verdict {
  const known = rows.filter(({ agrees }) => agrees !== undefined);
  if (known.length === 0) return undecided(statement, "there are no results of the authors to compare with");
  const apart = known.filter(({ agrees }) => agrees === "no").length;
  // The exact gradient leaves nothing to chance.
  const random = known.filter(({ gradient }) => gradient !== "exact").length;
  const isExactRight = known.every(({ gradient, agrees }) => gradient !== "exact" || agrees === "yes");
  const allowed = allowedApart(random, seeds);
  return verdictOf({
    statement,
    holds: isExactRight && apart <= allowed,
    reason: {
      fault: "ours",
      why: isExactRight
        ? "the authors' code was run with the same settings, so chance aside this library descends differently"
        : "the exact gradient leaves nothing to chance, and it ends elsewhere than in the authors' code",
    },
    evidence:
      `the ranges of lowest values over the seeds overlap in ${known.length - apart} of ${known.length} combinations of ` +
      `settings; by chance ${(random * chanceApart(seeds)).toFixed(1)} would not, up to ${allowed} are allowed.`,
  });
}

function finiteVerdict(summary: readonly Row[]): Verdict {
  const runs = summary.reduce((sum, row) => sum + numberIn(row, "seeds"), 0);
  const diverged = summary.filter((row) => numberIn(row, "diverged") > 0);
  const total = diverged.reduce((sum, row) => sum + numberIn(row, "diverged"), 0);
  const where = [
    ...new Set(diverged.map((row) => `${row.function}, n = ${row.n}, ${methodName(methodIn(row))}`)),
  ];
  return verdictOf({
    statement: "The authors' learning rates keep every run finite",
    holds: total === 0,
    reason: {
      fault: "paper",
      why: "the learning rates of the authors' search are so high there that some draws of the tangents diverge",
    },
    evidence:
      total === 0
        ? `all ${runs} runs end with finite values.`
        : `${total} of ${runs} runs diverge, and count with the lowest value before: ${firstNames(where)}.`,
  });
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** "0", "2.1e-4", "10.4", "−2506.63": digits enough to tell valleys of Styblinski-Tang apart, which is below 0. */
function short(value: number): string {
  if (value === 0) return "0";
  if (value < 0) return String(Number(value.toPrecision(6))).replace("-", "−");
  return value >= 1e-3 && value < 1e6 ? String(Number(value.toPrecision(3))) : value.toExponential(1);
}
