/** Charts and tables of the study of feedback. */
import type { Chart } from "../../charts/chart.ts";
import { interval, type Point, panelChart } from "../../charts/charts.ts";
import { numberIn } from "../statistics.ts";
import type { Results, Row, Table } from "../study.ts";
import {
  baseCell,
  type Cell,
  cellKey,
  cellName,
  type FeedbackSettings,
  methodName,
  type NetworkName,
  networkName,
} from "./cells.ts";
import { pictureChart } from "./pictures.ts";

export type Feedback = Results<FeedbackSettings>;

/** 1.96 standard errors on both sides. */
const halfWidths = 1.96;

/** What the charts draw, the most important first. */
export function feedbackCharts(results: Feedback): readonly Chart[] {
  return [
    ...overSteps(results),
    ...axes.flatMap((axis) => overAxis(results, axis)),
    ...matrixCharts(results),
    ...pictureChart(results),
  ];
}

/** The cell that a row is of. */
export function cellOf({ network, width, depth, k }: Row): Cell {
  return { network, width, depth, k } as { network: NetworkName; width?: number; depth?: number; k: number };
}

/** The rows of quality at the base cell of each network. */
export function baseRows({ summary, settings }: Feedback): readonly Row[] {
  const base = baseCell(settings);
  return summary.filter(
    (row) =>
      row.part === "quality" &&
      row.k === base.k &&
      (row.network !== "mlp" || cellKey(cellOf(row)) === cellKey(base)),
  );
}

const ideal = "the mean Jacobian alone";
const seriesOf = (row: Row) => (row.guess === "mean Jacobian" ? ideal : methodName(row));

/** Names of the series in the order of their first rows, what is ideal last. */
function orderOf(points: readonly Point[], last: readonly string[] = []): readonly string[] {
  const present = [...new Set(points.map(({ series }) => series))];
  return [
    ...present.filter((name) => !last.includes(name)),
    ...last.filter((name) => present.includes(name)),
  ];
}

/** Less of ‖∇f‖² makes no difference to anybody, and would press the rest of an axis together. */
const leastDrawn = 1e-4;

/** Whether a measured quantity lies above 0 beyond chance, so that it can be drawn on a logarithmic axis. */
function isAboveZero(row: Row, name: "bias" | "variance"): boolean {
  const [value, error] = [Number(row[name] ?? 0), Number(row[`${name}_error`] ?? 0)];
  return value > leastDrawn && value > 2 * error;
}

/** Bias² and variance over the steps of training, and the cosine beside them. */
function overSteps(results: Feedback): readonly Chart[] {
  const rows = baseRows(results);
  const networks = [...new Set(rows.map(networkName))];
  const errors = rows.flatMap((row) =>
    (["bias", "variance"] as const)
      .filter((name) => isAboveZero(row, name))
      .map(
        (name): Point => ({
          x: numberIn(row, "step") + 1,
          ...interval(numberIn(row, name), halfWidths * Number(row[`${name}_error`] ?? 0)),
          series: seriesOf(row),
          panel: `${networkName(row)}: ${name === "bias" ? "bias²" : "variance"}`,
          kind: "measured",
        }),
      ),
  );
  const cosines = rows
    .filter(({ guess }) => guess !== "mean Jacobian")
    .map(
      (row): Point => ({
        x: numberIn(row, "step") + 1,
        ...interval(numberIn(row, "cosine"), halfWidths * Number(row.cosine_error ?? 0)),
        series: seriesOf(row),
        panel: networkName(row),
        kind: "measured",
      }),
    );
  if (errors.length === 0) return [];
  const x = { title: "step of training", log: 10 } as const;
  return [
    {
      name: "error-over-steps",
      title: "Bias² and variance as feedback learns",
      caption:
        `Shares of ‖∇f‖² with ${results.settings.tangents} tangents, for the parameters and the batch of each step; bars are 95 % intervals. ` +
        "What is not above 0 beyond chance is not drawn: the bias² of estimates that tangents correct in full (γ = 1), and the variance of " +
        "a guess alone (γ = 0). The mean Jacobian alone is what a matrix would foresee at best.",
      spec: (width) =>
        panelChart(
          {
            ...{ points: errors, x, joined: true, kinds: false },
            y: { title: "share of ‖∇f‖²", log: 10 },
            series: { title: "", values: orderOf(errors, [ideal]) },
            panels: networks.flatMap((name) => [`${name}: bias²`, `${name}: variance`]),
          },
          width,
        ),
    },
    {
      name: "cosine-over-steps",
      title: "The cosine, which misleads",
      caption:
        "Of the same estimates. A guess alone (γ = 0) soon has a high cosine, but errs to the same side in every step; what tangents correct errs to all sides.",
      spec: (width) =>
        panelChart(
          {
            ...{ points: cosines, x, joined: true, kinds: false, panels: networks },
            y: { title: "cosine to the exact gradient (1 is perfect)", domain: [0, 1] },
            series: { title: "", values: orderOf(cosines) },
          },
          width,
        ),
    },
  ];
}

/** What is changed one at a time. */
interface Axis {
  readonly name: "k" | "depth" | "width";
  readonly title: string;
  readonly words: string;
  readonly log?: 10;
}

const axes: readonly Axis[] = [
  { name: "k", title: "tangents k", words: "tangents", log: 10 },
  { name: "depth", title: "hidden layers", words: "depth" },
  { name: "width", title: "width of the hidden layers", words: "width", log: 10 },
];

/** Rows of the mlp that differ from the base in one thing alone; those without tangents belong to every number of them. */
export function rowsAlong({ summary, settings }: Feedback, part: string, name: Axis["name"]): readonly Row[] {
  const base = baseCell(settings);
  const others = (["k", "depth", "width"] as const).filter((one) => one !== name);
  return summary.filter(
    (row) =>
      row.part === part &&
      row.network === "mlp" &&
      others.every((one) => row[one] === base[one] || (one === "k" && row.k === 0)),
  );
}

/** Quality at the last point, and test accuracy, over one axis. */
function overAxis(results: Feedback, axis: Axis): readonly Chart[] {
  const { points: steps, steps: trained, tangents, width, depth } = results.settings;
  const last = Math.max(...steps);
  const quality = rowsAlong(results, "quality", axis.name).filter(
    ({ step, guess }) => step === last && guess !== "mean Jacobian",
  );
  const axisValues = [...new Set(quality.map((row) => numberIn(row, axis.name)))];
  if (axisValues.length < 2) return [];
  const errors = quality.flatMap((row) =>
    (["bias", "variance"] as const)
      .filter((name) => isAboveZero(row, name))
      .map(
        (name): Point => ({
          x: numberIn(row, axis.name),
          ...interval(numberIn(row, name), halfWidths * Number(row[`${name}_error`] ?? 0)),
          series: seriesOf(row),
          panel: name === "bias" ? "bias²" : "variance",
          kind: "measured",
        }),
      ),
  );
  const accuracies = rowsAlong(results, "accuracy", axis.name)
    .filter((row) => typeof row.accuracy_mean === "number")
    .flatMap((row) =>
      // Without tangents, at every number of them.
      (axis.name === "k" && row.k === 0 ? axisValues : [numberIn(row, axis.name)]).map(
        (x): Point => ({
          x,
          ...interval(
            100 * numberIn(row, "accuracy_mean"),
            numberIn(row, "count") > 2 ? 100 * numberIn(row, "accuracy_ci95") : undefined,
          ),
          series: seriesOf(row),
          kind: "measured",
        }),
      ),
    );
  const others = { k: "", depth: `, k = ${tangents}`, width: `, k = ${tangents}` }[axis.name];
  const what = {
    k: `mlp with ${depth} hidden layers of ${width}`,
    depth: `hidden layers of ${width}${others}`,
    width: `${depth} hidden layers${others}`,
  }[axis.name];
  const x = { title: axis.title, log: axis.log, ticks: [...axisValues].sort((a, b) => a - b) };
  return [
    {
      name: `error-over-${axis.words}`,
      title: `Bias² and variance over the ${axis.title}`,
      caption: `After ${last} steps with feedback (${what}); bars are 95 % intervals, and what is not above 0 beyond chance, or below 0.0001, is not drawn.`,
      spec: (wide) =>
        panelChart(
          {
            ...{ points: errors, x, joined: true, kinds: false, panels: ["bias²", "variance"] },
            y: { title: "share of ‖∇f‖²", log: 10 },
            series: { title: "", values: orderOf(errors) },
          },
          wide,
        ),
    },
    ...(accuracies.length > 0
      ? [
          {
            name: `accuracy-over-${axis.words}`,
            title: `Test accuracy over the ${axis.title}`,
            caption:
              `After ${trained} steps, each at the rate that validation examples choose (${what}). Last layer: exact gradients of the ` +
              "last layer, and nothing else is trained.",
            spec: (wide: number) =>
              panelChart(
                {
                  ...{ points: accuracies, x, joined: true, kinds: false },
                  y: { title: "test accuracy (%)" },
                  series: { title: "", values: orderOf(accuracies, ["exact gradient", "last layer"]) },
                },
                wide,
              ),
          },
        ]
      : []),
  ];
}

/** Cosine between the matrix of each site and the mean Jacobian, over the steps. */
function matrixCharts(results: Feedback): readonly Chart[] {
  const { summary, settings } = results;
  const base = baseCell(settings);
  const rows = summary.filter(
    (row) =>
      row.part === "jacobian" &&
      row.k === base.k &&
      numberIn(row, "step") > 0 &&
      (row.network !== "mlp" || row.width === base.width),
  );
  if (rows.length === 0) return [];
  const panels = [...new Set(rows.map(networkName))];
  const points = rows.map(
    (row): Point => ({
      x: numberIn(row, "step"),
      y: numberIn(row, "cosine"),
      series: `site ${row.site}`,
      panel: networkName(row),
      kind: "measured",
    }),
  );
  const shown = points.filter(({ series }) => Number(series.slice(5)) <= mostSites);
  const sites = [...new Set(shown.map(({ series }) => series))].sort();
  return [
    {
      name: "matrix-over-steps",
      title: "The matrix becomes the mean Jacobian",
      caption:
        "Cosine between what feedback has learned for each site and the mean Jacobian of the logits there, over 4 other batches at the same " +
        "parameters. Site 1 is the end of the first layer, farthest from the logits.",
      spec: (width) =>
        panelChart(
          {
            ...{ points: shown, joined: true, kinds: false, panels },
            x: { title: "steps of training", log: 10 },
            y: { title: "cosine (1: the same up to a factor)", domain: [0, 1] },
            series: { title: "", values: sites },
          },
          width,
        ),
    },
  ];
}

/** Colours that can be told apart. */
const mostSites = 6;

/** What every trained cell reached, and how good its estimates were at the last point. */
export function feedbackTables({ summary, settings }: Feedback): readonly Table[] {
  const last = Math.max(...settings.points);
  const trained = summary.filter(({ part }) => part === "accuracy");
  const quality = summary.filter(
    ({ part, step, guess }) => part === "quality" && step === last && guess !== "mean Jacobian",
  );
  const percent = (value: Row[string]) => (typeof value === "number" ? (100 * value).toFixed(1) : "–");
  const share = (row: Row, name: "bias" | "variance") => {
    const [value, error] = [row[name], row[`${name}_error`]];
    if (typeof value !== "number") return "–";
    return typeof error === "number" && error > 0
      ? `${short(value)} ± ${short(halfWidths * error)}`
      : short(value);
  };
  return [
    ...(quality.length > 0
      ? [
          {
            title: `Estimates after ${last} steps with feedback`,
            header: ["network", "estimate", "bias², share of ‖∇f‖²", "variance", "cosine"],
            rows: quality.map((row) => [
              cellName(row),
              methodName(row),
              share(row, "bias"),
              share(row, "variance"),
              numberIn(row, "cosine").toFixed(3),
            ]),
          },
        ]
      : []),
    ...(trained.length > 0
      ? [
          {
            title: `Accuracy after ${settings.steps} steps`,
            header: ["network", "trained by", "best rate", "test accuracy, %"],
            rows: trained.map((row) => [
              cellName(row),
              methodName(row),
              row.rate === undefined ? "all diverged" : String(row.rate),
              row.accuracy_ci95 === undefined
                ? percent(row.accuracy_mean)
                : `${percent(row.accuracy_mean)} ± ${percent(row.accuracy_ci95)}`,
            ]),
          },
        ]
      : []),
  ];
}

/** Two digits, and 0 for less than a thousandth. */
export function short(value: number): string {
  return Math.abs(value) < 0.0005 ? "0" : String(Number(value.toPrecision(2))).replace("-", "−");
}
