/** The charts of a run's report. */
import type { Chart } from "../charts/chart.ts";
import { type Point, panelChart } from "../charts/charts.ts";
import { linesOf, type RunRecord } from "./run-record.ts";

/** Lines over the steps: a name, and its points. */
interface Curve {
  readonly name: string;
  /** Dots joined by a line; otherwise a line alone. */
  readonly isDotted?: boolean;
  readonly points: readonly (readonly [step: number, value: number])[];
}

/** A chart of curves over the steps; undefined where there is nothing to draw. */
export function curvesChart(
  head: Pick<Chart, "name" | "title" | "caption">,
  yTitle: string,
  given: readonly Curve[],
): Chart | undefined {
  const curves = given
    .map((curve) => ({
      ...curve,
      points: thinned(curve.points.filter(([, value]) => Number.isFinite(value))),
    }))
    .filter(({ points }) => points.length > 0);
  const points = curves.flatMap(({ name, isDotted, points }) =>
    points.map(
      ([x, y]): Point => ({
        x,
        y,
        series: name,
        kind: isDotted || points.length === 1 ? "measured" : "expected",
      }),
    ),
  );
  if (points.length === 0) return undefined;
  const series = { title: "", values: curves.map(({ name }) => name) };
  return {
    ...head,
    spec: (width) =>
      panelChart(
        { points, x: { title: "step" }, y: { title: yTitle }, series, kinds: false, joined: true },
        width,
      ),
  };
}

/** More points than this cannot be told apart, and make a page heavy. */
const mostPoints = 400;

/** Means of neighbours, where there are more points than can be seen. */
function thinned(points: Curve["points"]): Curve["points"] {
  const each = Math.ceil(points.length / mostPoints);
  if (each === 1) return points;
  return Array.from({ length: Math.ceil(points.length / each) }, (_, index) => {
    const own = points.slice(index * each, (index + 1) * each);
    const last = own.at(-1)?.[0] ?? 0;
    return [last, own.reduce((sum, [, value]) => sum + value, 0) / own.length] as const;
  });
}

/** Scores from 0 to 1 that epochs have, in the words of a chart. */
const shares: Readonly<Record<string, string>> = {
  accuracy: "accuracy",
  macroF1: "macro F1",
  balancedAccuracy: "balanced accuracy",
  rocAuc: "area under the ROC curve",
  r2: "R²",
  retrievalAccuracy: "retrieval accuracy",
  meanReciprocalRank: "mean reciprocal rank",
};

/** The charts that a run's metrics fill. */
export function runCharts(run: RunRecord): Chart[] {
  const epochs = linesOf(run, "epoch");
  const steps = linesOf(run, "train");
  const quality = linesOf(run, "quality");
  const of = (pick: (line: (typeof epochs)[number]) => number | undefined) =>
    epochs.flatMap((line) => {
      const value = pick(line);
      return value === undefined ? [] : [[line.step, value] as const];
    });
  const everyStep = steps.length >= Math.min(epochs.length, 10);
  return [
    curvesChart(
      {
        name: "loss",
        title: "Loss",
        caption: `Training: ${everyStep ? "the mean of 50 steps" : "the mean of each epoch's steps"}. Validation: at the end of each epoch, on examples that are not trained on.`,
      },
      "loss",
      [
        {
          name: "training",
          points: everyStep
            ? steps.map(({ step, loss }) => [step, loss] as const)
            : of(({ trainLoss }) => trainLoss),
        },
        {
          name: "validation",
          isDotted: epochs.length <= 40,
          points: of(({ validationLoss }) => validationLoss),
        },
      ],
    ),
    curvesChart(
      {
        name: "validation",
        title: "Validation metrics",
        caption: "At the end of each epoch, on examples that are not trained on.",
      },
      "share",
      Object.entries(shares).map(([metric, name]) => ({
        name,
        isDotted: epochs.length <= 40,
        points: of(({ validationAccuracy, validation }) =>
          metric === "accuracy" ? validationAccuracy : validation?.[metric],
        ),
      })),
    ),
    curvesChart(
      {
        name: "errors",
        title: "Validation errors",
        caption: "In the units of the targets, at the end of each epoch.",
      },
      "error",
      [
        ["meanAbsoluteError", "mean absolute error"] as const,
        ["rootMeanSquaredError", "root mean squared error"] as const,
      ].map(([metric, name]) => ({
        name,
        isDotted: epochs.length <= 40,
        points: of(({ validation }) => validation?.[metric]),
      })),
    ),
    curvesChart(
      {
        name: "rate",
        title: "Learning rate",
        caption: "Of the last of each 50 steps, its schedule included.",
      },
      "learning rate",
      [
        {
          name: "learning rate",
          // One point is no course.
          points: steps.flatMap(({ step, learningRate }) =>
            learningRate === undefined || steps.length < 2 ? [] : [[step, learningRate] as const],
          ),
        },
      ],
    ),
    curvesChart(
      {
        name: "quality",
        title: "Gradient quality",
        caption:
          "The cosine between the estimate and the exact gradient, on steps on which it was measured: 1 is exact.",
      },
      "cosine",
      [
        {
          name: "cosine",
          isDotted: quality.length <= 40,
          points: quality.map(({ step, cosine }) => [step, cosine] as const),
        },
      ],
    ),
  ].filter((chart) => chart !== undefined);
}
