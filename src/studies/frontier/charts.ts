/** Charts and tables of the study of cost. */
import type { Chart } from "../../charts/chart.ts";
import { interval, type Point, panelChart } from "../../charts/charts.ts";
import { groupBy, halfWidth95, numberIn } from "../statistics.ts";
import type { Results, Row, Table } from "../study.ts";
import { estimatorNames, type FrontierSettings } from "./cells.ts";
import { paretoFrontier, type Tradeoff } from "./pareto.ts";

type Frontier = Results<FrontierSettings>;

/** A cell, or a trained one, as a point of a chart. */
export interface CostedCell extends Tradeoff {
  readonly row: Row;
  readonly halfWidth: number | undefined;
}

const exactSeries = "exact gradient";
const frontierSeries = "frontier";
const axes = {
  units: "GEMM units an estimate",
  milliseconds: "milliseconds an estimate",
  bytes: "bytes sent an estimate",
  training_units: "GEMM units of a run",
  training_seconds: "seconds of a run",
} as const;
/** Fewer than the axis would choose, so that the last label does not leave the chart. */
const unitTicks = [1, 3, 10, 30, 100, 300];
type CostAxis = keyof typeof axes;

const cosineTitle = "cosine to the exact gradient (1 is perfect)";
const accuracyTitle = "test accuracy (%)";

/** Cosine and accuracy over what they cost. */
export function frontierCharts(results: Frontier): readonly Chart[] {
  const hasQuality = results.summary.some(({ part }) => part === "quality");
  const hasAccuracy = results.summary.some(({ part }) => part === "accuracy");
  return [
    ...(hasQuality
      ? [
          chartOf(results, {
            name: "cosine-over-units",
            title: "Cosine over the work of an estimate",
            caption:
              "A dot is one combination of estimator, sampler, rank, aggregator and number of tangents, its cosine the mean " +
              "over the points of the training. Work is counted in forward passes of the batch. The diamond is the exact gradient; of the others, nothing lies above the line.",
            x: "units",
            cells: qualityCells,
          }),
          chartOf(results, {
            name: "cosine-over-milliseconds",
            title: "Cosine over the time of an estimate",
            caption:
              "The same over measured time, which also counts random numbers and whatever is no matrix product. Each time is " +
              "relative to an exact gradient (diamond) measured in turns with it.",
            x: "milliseconds",
            cells: qualityCells,
          }),
          chartOf(results, {
            name: "cosine-over-bytes",
            title: "Cosine over what workers would have to send",
            caption:
              "If workers hold a tangent each and share the seed, weights need one number a tangent, activations one a tangent and " +
              "example, the exact gradient (diamond) all of itself.",
            x: "bytes",
            cells: qualityCells,
          }),
        ]
      : []),
    ...(hasAccuracy
      ? [
          chartOf(results, {
            name: "accuracy-over-seconds",
            title: "Accuracy over the time of a training run",
            caption: `${results.settings.steps} steps with every estimator, each at the best of its learning rates; bars are 95 % intervals over the seeds where there are three or more. The diamond is the exact gradient.`,
            x: "training_seconds",
            cells: accuracyCells,
          }),
          chartOf(results, {
            name: "accuracy-over-units",
            title: "Accuracy over the work of a training run",
            caption: "The same runs over matrix products and convolutions alone.",
            x: "training_units",
            cells: accuracyCells,
          }),
        ]
      : []),
  ];
}

interface CostChart extends Omit<Chart, "spec"> {
  readonly x: CostAxis;
  readonly cells: (results: Frontier, model: string, x: CostAxis) => readonly CostedCell[];
}

function chartOf(results: Frontier, { x, cells, ...chart }: CostChart): Chart {
  const isCosine = cells === qualityCells;
  const { models, trainedModels } = results.settings;
  const panels = isCosine ? models : trainedModels;
  const drawn = panels.flatMap((model) => pointsOf(cells(results, model, x), model));
  const present = new Set(drawn.map(({ series }) => series));
  const values = [...estimatorNames, exactSeries, frontierSeries].filter((name) => present.has(name));
  const costs = drawn.map((point) => point.x);
  const ticks = unitTicks.filter((tick) => tick >= Math.min(...costs) && tick <= Math.max(...costs));
  return {
    ...chart,
    spec: (width) =>
      panelChart(
        {
          points: drawn,
          x: { title: axes[x], log: 10, ...(x === "units" && ticks.length > 1 ? { ticks } : {}) },
          y: isCosine ? { title: cosineTitle, log: 10 } : { title: accuracyTitle, domain: [0, 100] },
          // The caption says what the diamond and the line are.
          series: {
            title: "",
            values,
            named: values.filter((name) => estimatorNames.some((one) => one === name)),
          },
          panels,
          kinds: false,
        },
        width,
      ),
  };
}

function pointsOf(cells: readonly CostedCell[], panel: string): readonly Point[] {
  const forward = cells.filter(({ row }) => row.estimator !== "exact");
  return [
    ...cells.map(({ cost, value, halfWidth, row }): Point => {
      const isExact = row.estimator === "exact";
      const series = isExact ? exactSeries : String(row.estimator);
      return {
        x: cost,
        ...interval(value, halfWidth),
        series,
        panel,
        kind: isExact ? "reference" : "measured",
      };
    }),
    ...paretoFrontier(forward).map(
      ({ cost, value }): Point => ({ x: cost, y: value, series: frontierSeries, panel, kind: "expected" }),
    ),
  ];
}

const cellNames = ["model", "estimator", "sampler", "rank", "k", "aggregator"];

/** Cells of a model with their mean cosine over the points. */
export function qualityCells({ summary }: Frontier, model: string, x: CostAxis): readonly CostedCell[] {
  const rows = summary.filter((row) => row.part === "quality" && row.model === model);
  return groupBy(rows, cellNames).map((group) => {
    const [row] = group as [Row];
    const mean = (name: string) => group.reduce((sum, one) => sum + numberIn(one, name), 0) / group.length;
    return {
      row,
      cost: numberIn(row, x),
      value: mean("cosine_mean"),
      halfWidth: row.estimator === "exact" ? undefined : pooledHalfWidth(group),
    };
  });
}

/** Of the mean over the points, as if the cosine varied as much at each of them: few draws at one tell its spread badly. */
function pooledHalfWidth(group: readonly Row[]): number {
  const freedom = group.map((row) => numberIn(row, "count") - 1);
  const total = freedom.reduce((sum, one) => sum + one, 0);
  const squares = group.reduce(
    (sum, row, index) => sum + (freedom[index] ?? 0) * numberIn(row, "cosine_sd") ** 2,
    0,
  );
  const error =
    Math.sqrt(group.reduce((sum, row) => sum + squares / total / numberIn(row, "count"), 0)) / group.length;
  return halfWidth95({ count: total + 1, mean: 0, deviation: error * Math.sqrt(total + 1) });
}

/** Trained cells of a model with their accuracy in percent; without those that diverged at every rate. */
export function accuracyCells(
  { summary, settings }: Frontier,
  model: string,
  x: CostAxis,
): readonly CostedCell[] {
  return summary
    .filter((row) => row.part === "accuracy" && row.model === model && typeof row.accuracy_mean === "number")
    .map((row) => ({
      row,
      cost: x === "training_units" ? settings.steps * numberIn(row, "units") : numberIn(row, x),
      value: 100 * numberIn(row, "accuracy_mean"),
      // The interval of two seeds is wider than the chart.
      halfWidth: numberIn(row, "count") > 2 ? 100 * numberIn(row, "accuracy_ci95") : undefined,
    }));
}

/** The frontier of every model, and what every trained cell reached. */
export function frontierTables(results: Frontier): readonly Table[] {
  const { models, trainedModels } = results.settings;
  return [
    ...models.flatMap((model) => qualityTable(results, model)),
    ...trainedModels.flatMap((model) => accuracyTable(results, model)),
  ];
}

function qualityTable(results: Frontier, model: string): readonly Table[] {
  const costs = ["units", "milliseconds", "bytes"] as const;
  const fronts = costs.map((x) => ({
    x,
    rows: new Set(
      paretoFrontier(qualityCells(results, model, x).filter(({ row }) => row.estimator !== "exact")).map(
        ({ row }) => row,
      ),
    ),
  }));
  const cells = qualityCells(results, model, "units").filter(
    ({ row }) => row.estimator === "exact" || fronts.some(({ rows }) => rows.has(row)),
  );
  if (cells.length === 0) return [];
  const last = results.settings.points.at(-1) ?? "end";
  const at = (row: Row, point: string) =>
    results.summary.find((one) => one.point === point && cellNames.every((name) => one[name] === row[name]));
  const meanAt = (row: Row | undefined, name: string) => (row ? short(numberIn(row, `${name}_mean`)) : "–");
  const cosineAt = (row: Row, point: string) => meanAt(at(row, point), "cosine");
  const errorAt = (row: Row, point: string) =>
    ["bias", "variance"].map((name) => meanAt(at(row, point), name)).join(", ");
  return [
    {
      title: `${model}: the frontier of cosine`,
      header: [
        "estimator",
        `cosine: ${results.settings.points.join(", ")}`,
        `bias², variance: ${last}`,
        "cheapest by",
        "GEMM units",
        "ms",
        "numbers",
        "bytes",
      ],
      rows: [...cells]
        .sort((a, b) => a.value - b.value)
        .map(({ row }) => [
          describeCell(row),
          results.settings.points.map((point) => cosineAt(row, point)).join(", "),
          errorAt(row, last),
          fronts
            .filter(({ rows }) => rows.has(row))
            .map(({ x }) => (x === "milliseconds" ? "ms" : x))
            .join(", ") || "–",
          ...["units", "milliseconds", "numbers", "bytes"].map((name) => short(numberIn(row, name))),
        ]),
    },
  ];
}

function accuracyTable(results: Frontier, model: string): readonly Table[] {
  const rows = results.summary.filter((row) => row.part === "accuracy" && row.model === model);
  if (rows.length === 0) return [];
  const accuracyOf = (row: Row) => (typeof row.accuracy_mean === "number" ? row.accuracy_mean : 0);
  const percent = (value: Row[string]) => (typeof value === "number" ? (100 * value).toFixed(1) : "–");
  return [
    {
      title: `${model}: accuracy after ${results.settings.steps} steps`,
      header: ["estimator", "best factor", "accuracy, %", "s", "GEMM units"],
      rows: [...rows]
        .sort((a, b) => accuracyOf(b) - accuracyOf(a))
        .map((row) => [
          describeCell(row),
          row.factor === undefined ? "all diverged" : String(row.factor),
          row.accuracy_ci95 === undefined
            ? percent(row.accuracy_mean)
            : `${percent(row.accuracy_mean)} ± ${percent(row.accuracy_ci95)}`,
          typeof row.training_seconds === "number" ? short(row.training_seconds) : "–",
          short(results.settings.steps * numberIn(row, "units")),
        ]),
    },
  ];
}

/** "low-rank, k = 16, gaussian, rank 4, projection" */
function describeCell({ estimator, sampler, rank, k, aggregator }: Row): string {
  if (estimator === "exact") return exactSeries;
  const parts = [estimator, `k = ${k}`, sampler, rank === undefined ? undefined : `rank ${rank}`, aggregator];
  return parts.filter((part) => part !== undefined).join(", ");
}

/** Three digits, without a power of ten. */
function short(value: number): string {
  return Number(value.toPrecision(3)).toLocaleString("en", { maximumSignificantDigits: 3 });
}
