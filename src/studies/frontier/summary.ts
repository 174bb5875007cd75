/** Columns and summaries of the study of cost. */
import { bestRuns } from "../best-runs.ts";
import { number, optional, text } from "../columns.ts";
import { groupBy, moments, numberIn, summaryOf } from "../statistics.ts";
import type { Column, Row } from "../study.ts";

const cellColumns: readonly Column[] = [
  text("part", "quality: one estimate next to the exact gradient; accuracy: one training run"),
  text("model", "network"),
  text("estimator", "what is perturbed, or exact: the exact gradient"),
  { ...text("sampler", "where tangents, or their factors, come from"), optional },
  { ...number("rank", "rank of low-rank tangents"), optional },
  number("k", "number of tangents; 0 for the exact gradient"),
  { ...text("aggregator", "how derivatives along the tangents are combined"), optional },
];

// Every row has them; a last column that is never empty.
const costColumns: readonly Column[] = [
  number(
    "dimension",
    "numbers of one tangent's space: all parameters, or one example's values at all sites; n for the exact gradient",
  ),
  number(
    "units",
    "matrix products and convolutions of an estimate in GEMM units: one is a forward pass of the batch",
  ),
  number("numbers", "random numbers drawn for an estimate"),
  number("bytes", "bytes sent for an estimate if k workers hold a tangent each and know the seed"),
];

/** Columns of results.csv. */
export const frontierColumns: readonly Column[] = [
  ...cellColumns,
  { ...text("point", "where in the exact gradient's training: start, middle or end"), optional },
  { ...number("draw", "draw of batch and tangents"), optional },
  {
    ...number("cosine", "cosine of the angle between the estimate and the batch's exact gradient"),
    optional,
  },
  { ...number("norm_ratio", "‖ĝ‖/‖∇f‖"), optional },
  {
    ...number(
      "bias",
      "bias² of the estimate over its gain, as a share of ‖∇f‖², from two estimates; below 0 by chance",
    ),
    optional,
  },
  {
    ...number("variance", "variance of the estimate over its gain, as a share of ‖∇f‖², from the same two"),
    optional,
  },
  { ...number("milliseconds", "time of the estimate"), optional },
  { ...number("exact_milliseconds", "time of the same batch's exact gradient, just before"), optional },
  { ...number("factor", "of the default learning rate"), optional },
  { ...number("seed", "decides initial parameters, batches and tangents of a run"), optional },
  { ...number("learning_rate", "of the first step"), optional },
  { ...number("validation_accuracy", "share of validation examples read right; empty: diverged"), optional },
  { ...number("accuracy", "share of test examples read right; empty: diverged"), optional },
  { ...number("training_seconds", "time of the run's steps; empty: diverged"), optional },
  ...costColumns,
];

const statistics = (name: string, what: string): readonly Column[] => [
  { ...number(`${name}_mean`, `mean of ${what}`), optional },
  { ...number(`${name}_sd`, `standard deviation of ${what}`), optional },
  { ...number(`${name}_ci95`, `half-width of the mean's 95 % interval of ${what}`), optional },
];

/** Columns of summary.csv: a row for each cell and point, and for each trained cell with its best factor. */
export const frontierSummaryColumns: readonly Column[] = [
  ...cellColumns,
  { ...text("point", "where in the exact gradient's training"), optional },
  number("count", "draws; accuracy: seeds that count"),
  ...statistics("cosine", "cosine"),
  ...statistics("norm_ratio", "norm_ratio"),
  ...statistics("bias", "bias"),
  ...statistics("variance", "variance"),
  {
    ...number(
      "milliseconds",
      "time of an estimate: the median of its ratios to an exact gradient measured just before, times the model's median " +
        "exact gradient",
    ),
    optional,
  },
  { ...number("exact_ratio", "time of an estimate over that of an exact gradient, median"), optional },
  {
    ...number("factor", "of the default learning rate, with the best validation accuracy over the seeds"),
    optional,
  },
  ...statistics("accuracy", "test accuracy over the seeds at that factor"),
  { ...number("training_seconds", "time of a run's steps, median over factors and seeds"), optional },
  ...costColumns,
];

const cellNames = cellColumns.map(({ name }) => name);
const copied = (row: Row) =>
  Object.fromEntries([...cellColumns, ...costColumns].map(({ name }) => [name, row[name]]));

/** One row a cell and point, then one a trained cell. */
export function summarizeFrontier(rows: readonly Row[]): readonly Row[] {
  const quality = rows.filter(({ part }) => part === "quality");
  const accuracy = rows.filter(({ part }) => part === "accuracy");
  return [
    ...groupBy(quality, ["model"]).flatMap(summarizeModel),
    ...groupBy(accuracy, cellNames).map(summarizeRuns),
  ];
}

function summarizeModel(rows: readonly Row[]): readonly Row[] {
  const exact = median(rows.map((row) => numberIn(row, "exact_milliseconds")));
  return groupBy(rows, cellNames).flatMap((cell) => {
    const ratio = median(
      cell.map((row) => numberIn(row, "milliseconds") / numberIn(row, "exact_milliseconds")),
    );
    return groupBy(cell, ["point"]).map((group) => ({
      ...copied(group[0] as Row),
      point: group[0]?.point,
      count: group.length,
      ...summaryOf("cosine", moments(group.map((row) => numberIn(row, "cosine")))),
      ...summaryOf("norm_ratio", moments(group.map((row) => numberIn(row, "norm_ratio")))),
      ...summaryOf("bias", moments(group.map((row) => numberIn(row, "bias")))),
      ...summaryOf("variance", moments(group.map((row) => numberIn(row, "variance")))),
      milliseconds: ratio * exact,
      exact_ratio: ratio,
    }));
  });
}

/** At the factor with the best mean validation accuracy, of those with which no run diverged. */
function summarizeRuns(rows: readonly Row[]): Row {
  const best = bestRuns(rows, "factor");
  const seconds = rows.flatMap(({ training_seconds: time }) => (typeof time === "number" ? [time] : []));
  return {
    ...copied(rows[0] as Row),
    count: best.length,
    factor: best[0]?.factor,
    ...(best.length > 0 ? summaryOf("accuracy", moments(best.map((row) => numberIn(row, "accuracy")))) : {}),
    training_seconds: seconds.length > 0 ? median(seconds) : undefined,
  };
}

/** @throws when there are no values */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.slice(Math.floor((sorted.length - 1) / 2), Math.floor(sorted.length / 2) + 1);
  return moments(middle).mean;
}
