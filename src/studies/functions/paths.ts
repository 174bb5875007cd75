import type { Chart, VegaLiteSpec } from "../../charts/chart.ts";
import { palette } from "../../charts/charts.ts";
import { type Coordinates, contourLines, levelsOf, sampleField } from "../../charts/contours.ts";
import { type FunctionName, functions } from "../../functions/functions.ts";
import type { FunctionView, TestFunction } from "../../functions/test-function.ts";
import { methodIn, methodName } from "../methods.ts";
import { numberIn } from "../statistics.ts";
import type { Environment, Row } from "../study.ts";
import type { GradientMethod } from "./optimize.ts";
import { cellRow, follow, patience } from "./runs.ts";

/** The methods that are drawn. In the plane, projection on two tangents is the exact gradient. */
const pathMethods: readonly GradientMethod[] = [
  { gradient: "exact", k: 0 },
  { gradient: "mean", k: 1 },
  { gradient: "mean", k: 4 },
  { gradient: "projection", k: 1 },
];

/** Parts of the view's size that the point must have moved for the path to have a point there. */
const resolution = 0.006;
/** Points at most on a path; what follows is left out. */
const pathPoints = 250;
const gridSize = 61;
const levels = 7;
/** Contour lines that are smaller than this part of the view's size are left out: dents by the hundred hide the rest. */
const smallest = 0.08;

/** Runs each method on a function of two numbers, with the start and the learning rates of its view. */
export async function measurePaths(
  environment: Environment,
  fn: TestFunction,
  seed: number,
): Promise<readonly Row[] | undefined> {
  const { view } = fn;
  const rows: Row[] = [];
  for (const method of pathMethods) {
    const learningRate = view.learningRates[method.gradient === "exact" ? "exact" : "estimate"];
    const options = {
      ...{ fn, n: 2, method, learningRate, patience, seed },
      ...{ start: Float64Array.from(view.start), steps: view.steps },
    };
    const common = { kind: "path", ...cellRow(options), seed, learning_rate: learningRate };
    const points: Row[] = [];
    const everyStep = Array.from({ length: view.steps + 1 }, (_, step) => step);
    const run = await follow(environment, options, everyStep, (descent) => {
      const [x = Number.NaN, y = Number.NaN] = descent.x;
      const last = points.at(-1);
      if (points.length < pathPoints && (!last || hasMoved(view, last, x, y)))
        points.push({ ...common, step: descent.steps, value: descent.value, x, y });
    });
    if (!run) return undefined;
    rows.push(...points);
    environment.advance((pathMethods.indexOf(method) + 1) / pathMethods.length);
  }
  return rows;
}

function hasMoved(view: FunctionView, last: Row, x: number, y: number): boolean {
  const dx = (x - numberIn(last, "x")) / (view.x[1] - view.x[0]);
  const dy = (y - numberIn(last, "y")) / (view.y[1] - view.y[0]);
  return Math.hypot(dx, dy) > resolution;
}

/** Contour lines and paths, one picture a function; none where no path was run. */
export function pathCharts(rows: readonly Row[]): readonly Chart[] {
  const paths = rows.filter(({ kind }) => kind === "path");
  const names = [...new Set(paths.map((row) => String(row.function)))] as FunctionName[];
  if (names.length === 0) return [];
  return [
    {
      name: "paths",
      title: "Paths in the plane",
      caption:
        "Contour lines of the functions, with as much area between any two of them and without small dents, and the paths of " +
        "one seed from the ring; the cross is the global minimum. The exact gradient takes another learning rate than the estimates, both from the " +
        "paper's code. Paths end at the frame where they leave it.",
      spec: (width) => pathSpec(names, paths, width),
    },
  ];
}

function pathSpec(names: readonly FunctionName[], paths: readonly Row[], width: number): VegaLiteSpec {
  const columns = width < 500 ? 2 : 3;
  const size = Math.floor(width / columns - 38);
  return {
    concat: names.map((name) => {
      const own = paths.filter((row) => row.function === name);
      return panel(functions[name], own, size);
    }),
    columns,
    spacing: { row: 12, column: 8 },
    resolve: { scale: { color: "shared" }, legend: { color: "shared" } },
  };
}

/** One function: contours below, then paths, start and minimum. */
function panel(fn: TestFunction, paths: readonly Row[], size: number): VegaLiteSpec {
  const { view } = fn;
  const field = sampleField(view.x, view.y, gridSize, (x, y) => fn.evaluate(Float64Array.of(x, y)));
  const contours = levelsOf(field, levels).flatMap((level, index) =>
    contourLines(field, level)
      .filter((line) => extent(line, view) >= smallest)
      .flatMap((line, number) =>
        line.map(([x, y], order) => ({ x: round(x), y: round(y), order, line: `${index}/${number}` })),
      ),
  );
  const points = paths.map((row, order) => ({
    x: round(numberIn(row, "x")),
    y: round(numberIn(row, "y")),
    order,
    method: methodName(methodIn(row)),
  }));
  const axis = (domain: readonly [number, number], field: string) => ({
    field,
    type: "quantitative",
    scale: { domain, nice: false, zero: false },
    axis: { title: null, grid: false, tickCount: 4 },
  });
  const [x, y] = [axis(view.x, "x"), axis(view.y, "y")];
  const order = { field: "order", type: "quantitative" };
  const color = {
    field: "method",
    type: "nominal",
    scale: { domain: pathMethods.map(methodName), range: palette.slice(0, pathMethods.length) },
    legend: {
      title: "gradient",
      orient: "bottom",
      direction: "horizontal",
      columns: 2,
      symbolType: "stroke",
    },
  };
  const minimum = fn.minimum(2)?.at;
  const ink = "#8b949e";
  return {
    title: { text: fn.title, anchor: "start", fontSize: 12, offset: 4 },
    width: size,
    height: size,
    layer: [
      {
        data: { values: contours },
        mark: { type: "line", stroke: ink, strokeWidth: 0.6, opacity: 0.7 },
        encoding: { x, y, order, detail: { field: "line" } },
      },
      {
        data: { values: points },
        mark: { type: "line", strokeWidth: 1.4, clip: true, opacity: 0.85 },
        encoding: { x, y, order, color },
      },
      {
        data: { values: [{ x: view.start[0], y: view.start[1] }] },
        mark: { type: "point", shape: "circle", filled: false, size: 45, stroke: ink, strokeWidth: 1.6 },
        encoding: { x, y },
      },
      ...(minimum
        ? [
            {
              data: { values: [{ x: minimum[0], y: minimum[1] }] },
              mark: { type: "point", shape: "cross", filled: true, size: 60, fill: ink, opacity: 1 },
              encoding: { x, y },
            },
          ]
        : []),
    ],
  };
}

/** The longer side of a line's bounding box, as a part of the view. */
function extent(line: readonly Coordinates[], view: FunctionView): number {
  const part = (values: readonly number[], [low, high]: readonly [number, number]) =>
    (Math.max(...values) - Math.min(...values)) / (high - low);
  return Math.max(
    part(
      line.map(([x]) => x),
      view.x,
    ),
    part(
      line.map(([, y]) => y),
      view.y,
    ),
  );
}

/** Short numbers keep drawings small. */
function round(value: number): number {
  return Number(value.toPrecision(5));
}
