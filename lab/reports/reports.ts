/** The panel of reports: runs that somebody opens, their curves in one chart, what came out, and the settings that differ. */
import { type ListedFiles, zippedFiles } from "forwardgrad/data";
import {
  differingSettings,
  droppedFiles,
  linesOf,
  opfsRuns,
  opfsStore,
  type RunRecord,
  readRun,
  resultsTable,
} from "forwardgrad/web";
import { settings } from "../address.ts";
import { onFiles } from "../drops.ts";
import { element, onPress, say } from "../elements.ts";
import { openLines } from "../lines.ts";

const colors = ["projection", "mean", "max", "sum", "exact", "tangent"];
/** The runs that are shown. */
let runs: readonly RunRecord[] = [];
const measure = element("reports-measure", HTMLSelectElement);
const address = settings("reports", { measure: measure.value }, (_, value) =>
  [...measure.options].some((option) => option.value === value),
);
measure.value = address.read().measure;

type Measure = "loss" | "validationLoss" | "validationAccuracy";

/** A run's points: of the training loss means of 50 steps, where there are any, otherwise values of epochs. */
function pointsOf(run: RunRecord, which: Measure): [number, number][] {
  const steps = linesOf(run, "train");
  if (which === "loss" && steps.length > 1) return steps.map(({ step, loss }) => [step, loss]);
  return linesOf(run, "epoch").flatMap((line): [number, number][] => {
    const value = which === "loss" ? line.trainLoss : line[which];
    return value === undefined ? [] : [[line.step, value]];
  });
}

const redraw = openLines("reports-canvas", () => ({
  lines: runs.map((run, index) => ({
    color: colors[index % colors.length] ?? "exact",
    isDashed: index >= colors.length,
    points: pointsOf(run, measure.value as Measure),
  })),
  x: "steps",
}));

/** A part of files whose names begin alike. */
function inside(files: ListedFiles, folder: string): ListedFiles {
  return {
    describe: folder === "" ? files.describe : folder.slice(0, -1),
    list: async () => (await files.list()).filter((name) => name.startsWith(folder)),
    read: (name) => files.read(`${folder}${name}`),
  };
}

/** All runs among files: folders with a config.json, and zips of such folders. */
async function runsIn(files: ListedFiles): Promise<RunRecord[]> {
  const found: RunRecord[] = [];
  for (const path of await files.list()) {
    const folder = path.replace(/[^/]*$/, "");
    if (/(^|\/)config\.json$/.test(path)) found.push(await readRun(inside(files, folder)));
    if (!/\.zip$/i.test(path)) continue;
    const bytes = (await files.read(path)) ?? new Uint8Array();
    found.push(...(await runsIn(await zippedFiles({ name: path, bytes }))));
  }
  return found;
}

function table(
  id: string,
  { header, rows }: { header: readonly string[]; rows: readonly (readonly string[])[] },
) {
  const made = element(id, HTMLTableElement);
  const cells = (kind: "th" | "td", texts: readonly string[], scope: string) => {
    const row = document.createElement("tr");
    for (const [at, words] of texts.entries()) {
      const cell = document.createElement(at === 0 ? "th" : kind);
      if (cell.tagName === "TH")
        (cell as HTMLTableCellElement).scope = at === 0 && kind === "td" ? "row" : scope;
      cell.textContent = words;
      row.append(cell);
    }
    return row;
  };
  const [head, body] = [document.createElement("thead"), document.createElement("tbody")];
  head.append(cells("th", header, "col"));
  body.append(...rows.map((row) => cells("td", row, "row")));
  made.tHead?.remove();
  made.tBodies[0]?.remove();
  made.append(head, body);
  made.hidden = rows.length === 0;
}

function show(opened: readonly RunRecord[]): void {
  runs = opened;
  // A column for each run, which a phone has room for.
  const { header, rows } = resultsTable(runs);
  const [, ...measures] = header;
  const names = rows.map(([name = ""]) => name);
  table("reports-results", {
    header: ["run", ...names],
    rows: measures.map((measured, at) => [measured, ...rows.map((row) => row[at + 1] ?? "")]),
  });
  const heads = [...(element("reports-results", HTMLTableElement).tHead?.rows[0]?.cells ?? [])];
  for (const [index, cell] of heads.slice(1).entries()) {
    const swatch = document.createElement("span");
    swatch.className = `swatch ${colors[index % colors.length]}`;
    cell.prepend(swatch, " ");
  }
  table("reports-settings", runs.length > 1 ? differingSettings(runs) : { header: [], rows: [] });
  redraw();
}

const complain = (error: unknown) =>
  say("reports-error", error instanceof Error ? error.message : String(error));

async function open(files: ListedFiles): Promise<void> {
  say("reports-error", "");
  const found = await runsIn(files);
  if (found.length === 0) {
    throw new TypeError(
      `There is no run in ${files.describe}: give a run's folder, which has a config.json and a metrics.jsonl, several of them, or a .zip of such.`,
    );
  }
  say("reports-which", found.length === 1 ? "one run" : `${found.length} runs`);
  show(found);
}

/** Offers the runs that this browser keeps. */
async function offerKept(): Promise<void> {
  const names = await opfsRuns().catch(() => []);
  say("reports-none", names.length === 0 ? "no run yet" : "");
  element("reports-kept", HTMLElement).replaceChildren(
    ...names.map((name) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = name;
      button.addEventListener("click", () => {
        readRun(opfsStore(name)).then((run) => {
          say("reports-which", "a run of this browser");
          show([{ ...run, name }]);
        }, complain);
      });
      return button;
    }),
  );
}

/** Two runs of digits that Node recorded. */
async function showRecorded(): Promise<void> {
  const response = await fetch(new URL("example/runs.zip", document.baseURI));
  const bytes = new Uint8Array(await response.arrayBuffer());
  show(await runsIn(await zippedFiles({ name: "runs.zip", bytes })));
}

const panel = element("reports", HTMLElement);
onFiles(panel, ["reports-zip", "reports-folder"], (given) => {
  droppedFiles(given).then(open).catch(complain);
});
measure.addEventListener("change", () => {
  address.write({ measure: measure.value });
  redraw();
});
onPress("reports-look", () => void offerKept());
showRecorded().catch(complain);
void offerKept();
panel.dataset.open = "";
