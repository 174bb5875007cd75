/** Several runs on one page: what came out, their curves in one chart, and the settings that differ. */
import { figureHtml, page, tableHtml } from "../charts/page.ts";
import type { RunStore } from "../storage/run-store.ts";
import { drawForPage } from "./draw.ts";
import { curvesChart } from "./run-charts.ts";
import { linesOf, type RunRecord, readRun } from "./run-record.ts";
import { reportMark } from "./run-report.ts";
import { differingSettings, resultsTable } from "./run-tables.ts";

/**
 * Compares runs by what their stores hold.
 *
 * @throws StorageError where a store holds no training run
 */
export async function compareRuns(stores: readonly RunStore[]): Promise<string> {
  const runs: RunRecord[] = [];
  for (const store of stores) runs.push(await readRun(store));
  const charts = comparisonCharts(runs);
  const body = [
    `<h2>Results</h2>\n${tableHtml(resultsTable(runs), "results")}`,
    `<h2>Curves</h2>\n${(await drawForPage(charts)).map(figureHtml).join("\n")}`,
    `<h2>Settings that differ</h2>\n${settingsHtml(runs)}`,
  ];
  return page({ title: `${runs.length} runs`, head: reportMark, body: body.join("\n") });
}

function comparisonCharts(runs: readonly RunRecord[]) {
  const curves = (pick: (run: RunRecord) => readonly (readonly [number, number])[]) =>
    runs.map((run) => {
      const points = pick(run);
      return { name: run.name, isDotted: points.length <= 40, points };
    });
  const epochs = (name: "validationLoss" | "validationAccuracy" | "trainLoss") => (run: RunRecord) =>
    linesOf(run, "epoch").flatMap((line) => {
      const value = line[name];
      return value === undefined ? [] : [[line.step, value] as const];
    });
  const training = (run: RunRecord) => {
    const steps = linesOf(run, "train");
    return steps.length > 1 ? steps.map(({ step, loss }) => [step, loss] as const) : epochs("trainLoss")(run);
  };
  return [
    curvesChart(
      { name: "validation-loss", title: "Validation loss", caption: "At the end of each epoch." },
      "loss",
      curves(epochs("validationLoss")),
    ),
    curvesChart(
      { name: "validation-accuracy", title: "Validation accuracy", caption: "At the end of each epoch." },
      "share",
      curves(epochs("validationAccuracy")),
    ),
    curvesChart(
      { name: "training-loss", title: "Training loss", caption: "Means of 50 steps, or of each epoch." },
      "loss",
      curves(training),
    ),
  ].filter((chart) => chart !== undefined);
}

function settingsHtml(runs: readonly RunRecord[]): string {
  const table = differingSettings(runs);
  if (table.rows.length === 0) return '<p class="quiet">None: these runs were asked for the same.</p>';
  return tableHtml(table, "texts");
}
