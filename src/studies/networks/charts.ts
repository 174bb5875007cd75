import type { Chart } from "../../charts/chart.ts";
import { type Point, panelChart } from "../../charts/charts.ts";
import { countSeries, countSeriesOf } from "../methods.ts";
import { groupBy, moments, numberIn } from "../statistics.ts";
import type { Row } from "../study.ts";
import type { TrainingPath } from "./runs.ts";
import { pathTitles } from "./summary.ts";

const styles = ["projection", "mean"] as const;

/** Accuracy over the epochs, one chart a network and dataset, one panel a path. */
export function networkCurves(rows: readonly Row[]): readonly Chart[] {
  const curves = rows.filter(({ kind }) => kind === "curve");
  return groupBy(curves, ["network", "dataset"]).map((own): Chart => {
    const { network, dataset } = own[0] as Row;
    const points = groupBy(own, ["path", "gradient", "k"]).flatMap((method) => {
      const seeds = new Set(method.map(({ seed }) => seed)).size;
      return groupBy(method, ["epoch"]).flatMap((group): readonly Point[] => {
        const row = group[0] as Row;
        if (group.length < seeds) return [];
        const { mean } = moments(group.map((one) => 100 * numberIn(one, "test_accuracy")));
        return [{ ...styleOf(row), x: numberIn(row, "epoch"), y: mean, kind: "expected" }];
      });
    });
    return {
      name: `curves-${network}-${dataset}`,
      title: `${network} on ${dataset}: test accuracy over the epochs`,
      caption:
        "Means over the seeds, measured after each epoch; 0 is the network as it was made. Solid: projection and the exact " +
        "gradient; dashed: the mean. A line ends where the first of its runs ended.",
      spec: (width) =>
        panelChart(
          {
            points,
            x: { title: "epoch" },
            y: { title: "test accuracy (%)" },
            series: { title: "tangents", values: countSeriesOf(own) },
            styles: { title: "combined by", values: styles },
            panels: panelsOf(own, pathPanel),
            kinds: false,
          },
          width,
        ),
    };
  });
}

/** Accuracy over k, one chart a dataset, one panel a network and path. */
export function networkAccuracies(summary: readonly Row[]): readonly Chart[] {
  return groupBy(summary, ["dataset"]).map((rows): Chart => {
    const dataset = String(rows[0]?.dataset);
    const panel = (row: Row) => `${row.network}: ${pathPanel(row)}`;
    const counts = [...new Set(rows.map((row) => numberIn(row, "k")))].filter((k) => k > 0);
    // A line takes two points.
    const [only] = counts;
    const across = counts.length === 1 && only ? [only / 2, only, 2 * only] : counts;
    const accuracy = (row: Row) => 100 * numberIn(row, "test_accuracy_mean");
    const points = rows.flatMap((row): readonly Point[] => {
      const common = { series: String(row.gradient), panel: panel(row), y: accuracy(row) };
      // The exact gradient is the same for every k: a line across the panel.
      if (row.gradient === "exact") return across.map((k) => ({ ...common, x: k, kind: "expected" }));
      const half = row.test_accuracy_ci95;
      const ends =
        typeof half === "number"
          ? { low: Math.max(0, common.y - 100 * half), high: Math.min(100, common.y + 100 * half) }
          : {};
      return [{ ...common, ...ends, x: numberIn(row, "k"), kind: "measured" }];
    });
    return {
      name: `accuracy-${dataset}`,
      title: `${dataset}: test accuracy over the number of tangents`,
      caption:
        "After the epoch with the lowest validation loss: means over the seeds with their 95 % intervals. The line across is " +
        "the exact gradient.",
      spec: (width) =>
        panelChart(
          {
            points,
            x: { title: "k, number of tangents", log: 2 },
            y: { title: "test accuracy (%)" },
            series: { title: "gradient", values: ["exact", "mean", "projection"] },
            panels: panelsOf(rows, panel),
            kinds: { measured: "mean over the seeds", expected: "exact gradient" },
            joined: true,
          },
          width,
        ),
    };
  });
}

function styleOf(row: Row): Pick<Point, "series" | "style" | "panel"> {
  return {
    series: countSeries(row),
    style: row.gradient === "exact" ? "projection" : String(row.gradient),
    panel: pathPanel(row),
  };
}

function pathPanel(row: Row): string {
  return pathTitles[row.path as TrainingPath];
}

function panelsOf(rows: readonly Row[], panel: (row: Row) => string): readonly string[] {
  return [...new Set(rows.map(panel))];
}
