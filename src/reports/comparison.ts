/** Several runs on one page: what came out, their curves in one chart, and the settings that differ. */
import { figureHtml, page, tableHtml } from "../charts/page.ts";
import { flattened } from "../settings/config.ts";
import type { RunStore } from "../storage/run-store.ts";
import { drawForPage } from "./draw.ts";
import { curvesChart } from "./run-charts.ts";
import { linesOf, type RunRecord, readRun } from "./run-record.ts";
import { reportMark } from "./run-report.ts";
import { number, percent } from "./scores-html.ts";

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

/** What came out, a row for each run. */
export function resultsTable(runs: readonly RunRecord[]): { header: string[]; rows: string[][] } {
  const columns: readonly (readonly [string, (run: RunRecord) => string | undefined])[] = [
    ["run", ({ name }) => name],
    ["steps", ({ lines }) => (lines.at(-1)?.step ?? 0).toLocaleString("en")],
    ["training loss", (run) => number(linesOf(run, "epoch").at(-1)?.trainLoss)],
    ["validation loss", (run) => number(linesOf(run, "epoch").at(-1)?.validationLoss)],
    ["validation accuracy", (run) => percent(linesOf(run, "epoch").at(-1)?.validationAccuracy)],
    ["test loss", (run) => number(resultOf(run, "testLoss"))],
    ["test accuracy", (run) => percent(resultOf(run, "testAccuracy"))],
    ["macro F1", ({ notes }) => percent(notes.after?.classification?.macroF1)],
    ["R²", ({ notes }) => notes.after?.regression && number(notes.after.regression.r2)],
    [
      "a step",
      (run) => {
        const seconds = resultOf(run, "secondsPerStep");
        return seconds === undefined ? undefined : `${number(1000 * seconds)} ms`;
      },
    ],
    ["state", (run) => (linesOf(run, "result").length > 0 ? "finished" : "not finished")],
  ];
  const cells = columns.map(([header, cell]) => ({ header, texts: runs.map((run) => cell(run) ?? "–") }));
  const filled = cells.filter(({ texts }) => texts.some((text) => text !== "–"));
  return {
    header: filled.map(({ header }) => header),
    rows: runs.map((_, row) => filled.map(({ texts }) => texts[row] ?? "–")),
  };
}

function resultOf(run: RunRecord, name: string): number | undefined {
  const value = linesOf(run, "result").at(-1)?.[name];
  return typeof value === "number" ? value : undefined;
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

/** Settings that are not the same in all runs: a row for each, a column for each run. */
export function differingSettings(runs: readonly RunRecord[]): { header: string[]; rows: string[][] } {
  const settings = runs.map(({ config }) => flattened(config));
  const names = [...new Set(settings.flatMap((each) => Object.keys(each)))];
  const text = (value: unknown) => {
    const shown = value === null || value === undefined ? "–" : String(value);
    return shown.length > 60 ? `${shown.slice(0, 12)}…` : shown;
  };
  const rows = names
    .map((name) => [name, ...settings.map((each) => text(each[name]))])
    .filter(([, ...values]) => new Set(values).size > 1);
  return { header: ["setting", ...runs.map(({ name }) => name)], rows };
}

function settingsHtml(runs: readonly RunRecord[]): string {
  const table = differingSettings(runs);
  if (table.rows.length === 0) return '<p class="quiet">None: these runs were asked for the same.</p>';
  return tableHtml(table, "texts");
}
