/** Columns and summaries of the study of feedback. */
import { bestRuns } from "../best-runs.ts";
import { number, optional, text } from "../columns.ts";
import { groupBy, moments, numberIn, summaryOf } from "../statistics.ts";
import type { Column, Row } from "../study.ts";
import { cellNames, methodNames } from "./cells.ts";

const cellColumns: readonly Column[] = [
  text(
    "part",
    "quality: estimates next to the exact gradient; accuracy: a training run; jacobian: a site's matrix next to the mean " +
      "Jacobian; picture: a pixel of both",
  ),
  text("network", "mlp or lenet5"),
  { ...number("width", "of each hidden layer of an mlp"), optional },
  { ...number("depth", "hidden layers of an mlp"), optional },
  {
    ...text(
      "guess",
      "what is foreseen of the gradient: none, feedback, or what the mean Jacobian would foresee; exact: nothing is estimated; " +
        "last layer: exact, and all other layers stay as they were made",
    ),
    optional,
  },
  { ...number("gamma", "γ, how much of the tangents' correction is added"), optional },
  { ...number("step", "steps of training before the measurement"), optional },
  { ...number("site", "1: the end of the first layer"), optional },
];

/** The last of all, because it is never empty. */
const countColumn = number("k", "number of tangents; 0 where there are none");

const qualityColumns: readonly Column[] = [
  {
    ...number(
      "cosine",
      "mean cosine to the batch's exact gradient; jacobian: cosine between matrix and mean Jacobian",
    ),
    optional,
  },
  { ...number("cosine_error", "its standard error over the draws"), optional },
  { ...number("bias", "bias² of the estimate, as a share of ‖∇f‖²; below 0 by chance"), optional },
  { ...number("bias_error", "its standard error"), optional },
  { ...number("variance", "variance of the estimate, as a share of ‖∇f‖²"), optional },
  { ...number("variance_error", "its standard error"), optional },
];

/** Columns of results.csv. */
export const feedbackColumns: readonly Column[] = [
  ...cellColumns,
  ...qualityColumns,
  { ...number("rate", "learning rate of an estimate whose expectation is ∇f"), optional },
  { ...number("seed", "decides initial parameters, batches and tangents of a run"), optional },
  { ...number("validation_accuracy", "share of validation examples read right; empty: diverged"), optional },
  { ...number("accuracy", "share of test examples read right; empty: diverged"), optional },
  { ...number("logit", "whose picture it is, the class"), optional },
  { ...number("y", "row of the picture"), optional },
  { ...number("x", "column of the picture"), optional },
  {
    ...number("learned", "how the logit moves with the pixel, by the matrix and the first weights"),
    optional,
  },
  { ...number("exact", "the same by the mean Jacobian"), optional },
  countColumn,
];

/** Columns of summary.csv: a row for each measurement of quality, and for each trained cell at its best rate. */
export const feedbackSummaryColumns: readonly Column[] = [
  ...cellColumns,
  ...qualityColumns,
  { ...number("count", "accuracy: seeds that count"), optional },
  { ...number("rate", "with the best validation accuracy over the seeds"), optional },
  { ...number("accuracy_mean", "mean of the test accuracy over the seeds at that rate"), optional },
  { ...number("accuracy_sd", "standard deviation of the test accuracy"), optional },
  { ...number("accuracy_ci95", "half-width of the mean's 95 % interval of the test accuracy"), optional },
  countColumn,
];

/** Rows of quality as they are, and one row a trained cell. */
export function summarizeFeedback(rows: readonly Row[]): readonly Row[] {
  const names = feedbackSummaryColumns.map(({ name }) => name);
  const measured = rows.filter(({ part }) => part === "quality" || part === "jacobian");
  const runs = rows.filter(({ part }) => part === "accuracy");
  return [
    ...measured.map((row) =>
      Object.fromEntries(Object.entries(row).filter(([name]) => names.includes(name))),
    ),
    ...groupBy(runs, [...cellNames, ...methodNames]).map(summarizeRuns),
  ];
}

function summarizeRuns(rows: readonly Row[]): Row {
  const best = bestRuns(rows, "rate");
  const first = rows[0] as Row;
  return {
    ...Object.fromEntries(["part", ...cellNames, ...methodNames].map((name) => [name, first[name]])),
    count: best.length,
    rate: best[0]?.rate,
    ...(best.length > 0 ? summaryOf("accuracy", moments(best.map((row) => numberIn(row, "accuracy")))) : {}),
  };
}
