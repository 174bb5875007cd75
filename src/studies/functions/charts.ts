import type { Chart } from "../../charts/chart.ts";
import { type ChartAxis, type Point, panelChart } from "../../charts/charts.ts";
import { functions } from "../../functions/functions.ts";
import { countSeries, countSeriesOf, methodIn } from "../methods.ts";
import { groupBy, numberIn } from "../statistics.ts";
import type { Row } from "../study.ts";
import { gapOf } from "./comparison.ts";
import { functionReference } from "./reference.ts";
import type { ScalableFunction } from "./runs.ts";

const panels = ["mean", "projection"];

/** How the values of a function are shown. */
interface Scale {
  readonly axis: ChartAxis;
  of(n: number, value: number): number;
}

/** Styblinski-Tang has valleys of two depths, which a linear axis shows best; the others fall by orders of magnitude. */
function scaleOf(name: ScalableFunction): Scale {
  if (name === "styblinski-tang")
    return { axis: { title: "value for each coordinate" }, of: (n, value) => value / n };
  return { axis: { title: "value above the minimum", log: 10 }, of: (n, value) => gapOf(name, n, value) };
}

/** Lowest values over n, one chart a function. */
export function bestCharts(summary: readonly Row[]): readonly Chart[] {
  return namesIn(summary).map((name) => {
    const rows = summary.filter((row) => row.function === name);
    const scale = scaleOf(name);
    const points = rows.flatMap((row) => {
      const n = numberIn(row, "n");
      const reference = functionReference(name, n, methodIn(row));
      return styled(row, [
        {
          kind: "measured",
          y: scale.of(n, numberIn(row, "best_mean")),
          low: scale.of(n, numberIn(row, "best_min")),
          high: scale.of(n, numberIn(row, "best_max")),
        },
        ...(reference ? [{ kind: "reference", y: scale.of(n, reference.mean) } as const] : []),
      ]).map((point) => ({ ...point, x: n }));
    });
    return {
      name: `best-${name}`,
      title: `${functions[name].title}: lowest value over n`,
      caption:
        `${functions[name].formula}. Means over the seeds, and the range of the seeds as a bar. ` +
        (name === "styblinski-tang"
          ? "A coordinate ends at −39.17 in the deeper valley and at −25.03 in the other."
          : "Values below 10⁻⁴⁵ are 0 in float32, and drawn there."),
      spec: (width) =>
        panelChart(
          {
            points,
            x: { title: "n, number of coordinates", log: 2 },
            y: scale.axis,
            series: { title: "tangents", values: countSeriesOf(rows) },
            panels,
            joined: true,
          },
          width,
        ),
    };
  });
}

/** Values over the steps, one chart a function; none where no curve was kept. */
export function curveCharts(rows: readonly Row[]): readonly Chart[] {
  const curves = rows.filter(({ kind }) => kind === "curve");
  return namesIn(curves).map((name) => {
    const own = curves.filter((row) => row.function === name);
    const n = numberIn(own[0] as Row, "n");
    const scale = scaleOf(name);
    const points = meanCurves(own).flatMap(({ row, step, value }) =>
      step === 0
        ? []
        : styled(row, [{ kind: "expected", y: scale.of(n, value) }]).map((point) => ({ ...point, x: step })),
    );
    return {
      name: `curves-${name}`,
      title: `${functions[name].title}: value over the steps, n = ${n}`,
      caption:
        "Means over the seeds, on a logarithmic axis of steps. A line ends where the first of its runs ended.",
      spec: (width) =>
        panelChart(
          {
            points,
            x: { title: "step", log: 10 },
            y: scale.axis,
            series: { title: "tangents", values: countSeriesOf(own) },
            panels,
            kinds: { expected: "mean over the seeds" },
          },
          width,
        ),
    };
  });
}

/** The mean over the seeds at each step that all of them reached with finite values. */
function meanCurves(rows: readonly Row[]): readonly { row: Row; step: number; value: number }[] {
  return groupBy(rows, ["gradient", "k"]).flatMap((method) => {
    const seeds = new Set(method.map(({ seed }) => seed)).size;
    return groupBy(method, ["step"]).flatMap((group) => {
      const values = group.map((row) => numberIn(row, "value")).filter(Number.isFinite);
      const row = group[0] as Row;
      const value = values.reduce((sum, part) => sum + part, 0) / values.length;
      return values.length < seeds ? [] : [{ row, step: numberIn(row, "step"), value }];
    });
  });
}

/** Points of a method, in its panel; the exact gradient is in both. */
function styled(row: Row, points: readonly Pick<Point, "kind" | "y" | "low" | "high">[]): Omit<Point, "x">[] {
  const shown = row.gradient === "exact" ? panels : [String(row.gradient)];
  return shown.flatMap((panel) => points.map((point) => ({ ...point, panel, series: countSeries(row) })));
}

function namesIn(rows: readonly Row[]): readonly ScalableFunction[] {
  return [...new Set(rows.map((row) => row.function as ScalableFunction))];
}
