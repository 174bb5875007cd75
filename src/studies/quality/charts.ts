import type { Chart } from "../../charts/chart.ts";
import { interval, type Point, panelChart } from "../../charts/charts.ts";
import { qualityReference } from "../reference.ts";
import { numberIn } from "../statistics.ts";
import type { Results, Row } from "../study.ts";
import type { QualitySettings } from "./batch.ts";
import { expectedQuality, expectedVariance } from "./expected.ts";
import type { Combination } from "./prefixes.ts";

type Value = "cosine" | "norm_ratio" | "variance";
type Axis = "n" | "k";

/** A way to combine tangents, and what its panel is called. */
interface Panel extends Combination {
  readonly heading: string;
}

const cosinePanels: readonly Panel[] = [
  { aggregation: "mean", lengths: "as drawn", heading: "sum, mean" },
  { aggregation: "projection", lengths: "as drawn", heading: "projection" },
];
const normPanels: readonly Panel[] = [
  { aggregation: "sum", lengths: "as drawn", heading: "sum" },
  { aggregation: "mean", lengths: "as drawn", heading: "mean" },
  { aggregation: "sum", lengths: "unit", heading: "sum, normalized" },
  { aggregation: "mean", lengths: "unit", heading: "mean, normalized" },
  { aggregation: "projection", lengths: "as drawn", heading: "projection" },
];

const variancePanels: readonly Panel[] = [
  { aggregation: "mean", lengths: "as drawn", heading: "sum, mean" },
  { aggregation: "mean", lengths: "unit", heading: "sum, mean, normalized" },
  { aggregation: "projection", lengths: "as drawn", heading: "projection" },
];

/** Cosine, norm ratio and variance, over n and over k. */
export function qualityCharts(results: Results<QualitySettings>): readonly Chart[] {
  const { dimensions, tangents } = results.settings;
  const lines = { n: spread(tangents, 6), k: spread(dimensions, 6) };
  const chart = (value: Value, axis: Axis, panels: readonly Panel[], title: string) => (width: number) =>
    panelChart(
      {
        points: pointsOf(results, value, axis, panels, lines[axis]),
        x: { title: axis === "n" ? "dimension n" : "tangents k", log: 2 },
        y: { title, log: 10 },
        series: { title: axis === "n" ? "k" : "n", values: lines[axis].map(String) },
        panels: panels.map(({ heading }) => heading),
      },
      width,
    );
  const cosine = "cosine similarity (1 is perfect)";
  const variance = "variance over ‖∇f‖² (0 is perfect)";
  const norm = "norm ratio ‖ĝ‖/‖∇f‖ (1 is the gradient's length)";
  return [
    {
      name: "cosine-over-n",
      title: "Cosine similarity over the dimension",
      caption:
        "Gradient of ones. Sum and mean point the same way. All fall like √(k/n) once n is much larger than k; for n ≤ k " +
        "projection is exact, sum and mean are not.",
      spec: chart("cosine", "n", cosinePanels, cosine),
    },
    {
      name: "cosine-over-k",
      title: "Cosine similarity over the number of tangents",
      caption: "The same, for some n. The two ways part where k approaches n: projection reaches 1 at k = n.",
      spec: chart("cosine", "k", cosinePanels, cosine),
    },
    {
      name: "norm-ratio-over-n",
      title: "Length of the estimate over the dimension",
      caption:
        "Sum and mean of Gaussian tangents overshoot by a factor that grows with n; normalized tangents undershoot. The " +
        "projection is never longer than the gradient.",
      spec: chart("norm_ratio", "n", normPanels, norm),
    },
    {
      name: "norm-ratio-over-k",
      title: "Length of the estimate over the number of tangents",
      caption:
        "The same, for some n. The mean of Gaussian tangents approaches the gradient's length from above, like √(n/k).",
      spec: chart("norm_ratio", "k", normPanels, norm),
    },
    {
      name: "variance-over-n",
      title: "Variance of the estimate over the dimension",
      caption:
        "Of the estimate brought to its known gain, which makes all of them right on average: noise is then all that tells them apart, " +
        "and what a step has to average out. Projection has least, n/k − 1, and none for n ≤ k.",
      spec: chart("variance", "n", variancePanels, variance),
    },
    {
      name: "variance-over-k",
      title: "Variance of the estimate over the number of tangents",
      caption:
        "The same, for some n. It falls like 1/k: twice the tangents average as much as two steps would.",
      spec: chart("variance", "k", variancePanels, variance),
    },
  ];
}

/** At most this many of the values, spread evenly, with the first and the last. */
function spread(values: readonly number[], most: number): readonly number[] {
  if (values.length <= most) return values;
  return Array.from(
    { length: most },
    (_, i) => values[Math.round((i * (values.length - 1)) / (most - 1))] as number,
  );
}

function pointsOf(
  { summary, settings }: Results<QualitySettings>,
  value: Value,
  axis: Axis,
  panels: readonly Panel[],
  lines: readonly number[],
): Point[] {
  const other: Axis = axis === "n" ? "k" : "n";
  const gradient = settings.gradients[0] as string;
  const points: Point[] = [];
  for (const { heading: panel, aggregation, lengths } of panels) {
    const tangents = lengths === "unit" ? "normalized" : "gaussian";
    const isHere = (row: { aggregation?: unknown; tangents?: unknown; n?: unknown; k?: unknown }) =>
      row.aggregation === aggregation && row.tangents === tangents && lines.includes(Number(row[other]));
    for (const row of summary.filter((cell: Row) => cell.gradient === gradient && isHere(cell))) {
      const y = measuredIn(row, value);
      if (y === undefined) continue;
      points.push({ x: numberIn(row, axis), ...y, series: String(row[other]), panel, kind: "measured" });
    }
    const isReferred = gradient === "ones" && value !== "variance";
    for (const row of isReferred ? qualityReference.rows.filter(isHere) : []) {
      const y = value === "cosine" ? row.cosine.mean : row.normRatio.mean;
      points.push({ x: row[axis], y, series: String(row[other]), panel, kind: "reference" });
    }
    const values = axis === "n" ? settings.dimensions : settings.tangents;
    for (const line of lines) {
      for (const x of finer(values)) {
        const [n, k] = axis === "n" ? [x, line] : [line, x];
        const y = expectedIn(n, k, { aggregation, lengths }, value);
        if (y > 0) points.push({ x, y, series: String(line), panel, kind: "expected" });
      }
    }
  }
  return points;
}

/** A row's dot; none for what is 0 up to rounding, which a logarithmic axis has no place for. */
function measuredIn(row: Row, value: Value) {
  if (value !== "variance")
    return interval(numberIn(row, `${value}_mean`), row[`${value}_ci95`] as number | undefined);
  const variance = numberIn(row, "variance");
  if (variance < 1e-5) return undefined;
  const width = 1.96 * numberIn(row, "variance_error");
  return interval(variance, width < variance ? width : undefined);
}

function expectedIn(n: number, k: number, combination: Combination, value: Value): number {
  if (value === "variance") return expectedVariance(n, k, combination);
  const expected = expectedQuality(n, k, combination);
  return value === "cosine" ? expected.cosine : expected.normRatio;
}

/** Whole numbers from the least to the largest, about eight a doubling. */
function finer(values: readonly number[]): readonly number[] {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const steps = Math.max(1, Math.ceil(8 * Math.log2(most / least)));
  const all = Array.from({ length: steps + 1 }, (_, i) => Math.round(least * (most / least) ** (i / steps)));
  return [...new Set([...all, ...values])].sort((a, b) => a - b);
}
