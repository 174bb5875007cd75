/** Runs of networks that differ in their seed alone, as one row. */
import { methodHeading, methodIn, methodName } from "../methods.ts";
import { groupBy, halfWidth95, moments, numberIn, standardError, summaryOf } from "../statistics.ts";
import type { Column, Row, Table } from "../study.ts";
import { networkColumns, type TrainingPath } from "./runs.ts";

export const pathTitles: Readonly<Record<TrainingPath, string>> = {
  paper: "the paper's settings",
  ours: "our defaults",
};

const cell = networkColumns.slice(0, 5).map(({ name }) => name);

/** Columns of summary.csv: one row a method, network, dataset and path. */
export const networkSummaryColumns: readonly Column[] = [
  ...networkColumns,
  { name: "seeds", kind: "number", description: "runs" },
  ...(["test_accuracy", "last_test_accuracy"] as const).flatMap((name): readonly Column[] => {
    const which =
      name === "test_accuracy" ? "after the epoch with the lowest validation loss" : "after the last epoch";
    return [
      { name: `${name}_mean`, kind: "number", description: `mean test accuracy ${which}, from 0 to 1` },
      { name: `${name}_sd`, kind: "number", description: "standard deviation over the seeds" },
      {
        name: `${name}_ci95`,
        kind: "number",
        description: "95 % half-width of the mean; empty for one seed",
        optional: true,
      },
    ];
  }),
  { name: "epochs_mean", kind: "number", description: "mean number of epochs that a run ended" },
  { name: "seconds", kind: "number", description: "time of the steps of all seeds together" },
  { name: "diverged", kind: "number", description: "runs that diverged" },
];

export function summarizeNetworks(rows: readonly Row[]): readonly Row[] {
  const runs = rows.filter(({ kind }) => kind === "run");
  return groupBy(runs, cell).map((group) => {
    const first = group[0] as Row;
    const all = (name: string) => group.map((row) => numberIn(row, name));
    return {
      ...Object.fromEntries(networkColumns.map(({ name }) => [name, first[name]])),
      seeds: group.length,
      ...summaryOf("test_accuracy", moments(all("test_accuracy"))),
      ...summaryOf("last_test_accuracy", moments(all("last_test_accuracy"))),
      epochs_mean: moments(all("epochs")).mean,
      seconds: all("seconds").reduce((sum, value) => sum + value, 0),
      diverged: group.filter(({ ending }) => ending === "diverged").length,
    };
  });
}

/** Test accuracies by network and method, one table a path. */
export function networkTables(summary: readonly Row[]): readonly Table[] {
  return groupBy(summary, ["path"]).map((rows) => {
    const methods = groupBy(rows, ["gradient", "k"]).map((group) => methodIn(group[0] as Row));
    const first = rows[0] as Row;
    return {
      title: `Test accuracy in % with ${pathTitles[first.path as TrainingPath]} (mean over the seeds ± 95 % half-width)`,
      header: ["network", "data", ...methods.map(methodHeading)],
      rows: groupBy(rows, ["network", "dataset"]).map((line) => [
        String(line[0]?.network),
        String(line[0]?.dataset),
        ...methods.map(({ gradient, k }) => {
          const row = line.find((one) => one.gradient === gradient && one.k === k);
          return row ? accuracyText(row) : "";
        }),
      ]),
    };
  });
}

/** "97.9 ± 0.2", and how many runs diverged. */
function accuracyText(row: Row): string {
  const half = row.test_accuracy_ci95;
  const spread = typeof half === "number" ? ` ± ${percent(half)}` : "";
  const diverged = numberIn(row, "diverged");
  const mark = diverged === 0 ? "" : ` (${diverged} of ${row.seeds} diverged)`;
  return `${percent(numberIn(row, "test_accuracy_mean"))}${spread}${mark}`;
}

/** A share in percent, with as many digits as 10,000 examples resolve. */
export function percent(share: number): string {
  return (100 * share).toFixed(1);
}

/** The difference of two methods' accuracies, from runs with the same seeds. */
export interface Contrast {
  readonly mean: number;
  /** 95 % half-width; NaN for a single seed. */
  readonly half: number;
  /** Standard error of the mean, and its degrees of freedom: 0 for a single seed. */
  readonly error: number;
  readonly freedom: number;
}

/** a − b by seed, in test accuracy; undefined where no seed is in both. */
export function contrastOf(a: readonly Row[], b: readonly Row[]): Contrast | undefined {
  return contrastOfValues(bySeed(a), bySeed(b));
}

/** a − b of two values by seed. */
export function contrastOfValues(
  a: ReadonlyMap<number, number>,
  b: ReadonlyMap<number, number>,
): Contrast | undefined {
  const differences = [...a].flatMap(([seed, value]) => {
    const other = b.get(seed);
    return other === undefined ? [] : [value - other];
  });
  if (differences.length === 0) return undefined;
  const given = moments(differences);
  return {
    ...{ mean: given.mean, half: halfWidth95(given) },
    ...{ error: standardError(given), freedom: given.count - 1 },
  };
}

export function bySeed(rows: readonly Row[]): ReadonlyMap<number, number> {
  return new Map(rows.map((row) => [numberIn(row, "seed"), numberIn(row, "test_accuracy")]));
}

/** "vit on cifar10, mean, k = 4" */
export function runName(row: Row): string {
  return `${row.network} on ${row.dataset}, ${methodName(methodIn(row))}`;
}
