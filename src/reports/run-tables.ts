/** Several runs beside each other, as tables of text: what came out, and the settings that differ. */
import { flattened } from "../settings/config.ts";
import { linesOf, type RunRecord } from "./run-record.ts";
import { number, percent } from "./scores-html.ts";

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
