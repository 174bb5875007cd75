/** A run as a page: one file, no scripts, nothing loaded. */
import { type DrawnChart, escapeHtml, figureHtml, page, proseHtml, tableHtml } from "../charts/page.ts";
import { printable } from "../onnx/printable.ts";
import { flattened } from "../settings/config.ts";
import type { RunStore } from "../storage/run-store.ts";
import { courseWords, type EndOfRun } from "./course-words.ts";
import { drawForPage } from "./draw.ts";
import type { Judgement, Mistake } from "./judgement.ts";
import { runCharts } from "./run-charts.ts";
import { linesOf, type RunRecord, readRun } from "./run-record.ts";
import { matrixOf, number, percent, scoreRows } from "./scores-html.ts";

/** How the reports of runs begin, by which they are known. */
export const reportMark = '<meta name="generator" content="forwardgrad run report">';

/**
 * The report of a run from what its store holds, finished or not.
 *
 * @throws StorageError where the store holds no training run
 */
export async function runReport(store: RunStore): Promise<string> {
  const run = await readRun(store);
  return reportHtml(run, await drawForPage(runCharts(run)));
}

/**
 * Writes report.html into a run's store, unless a file of that name is none of ours.
 *
 * @returns whether it was written
 * @throws StorageError where the store holds no training run
 */
export async function writeRunReport(store: RunStore): Promise<boolean> {
  const there = await store.read("report.html");
  if (there?.length && !isReport(there)) return false;
  await store.write("report.html", new TextEncoder().encode(await runReport(store)));
  return true;
}

/** Whether a file is a report of a run. */
export function isReport(bytes: Uint8Array): boolean {
  return new TextDecoder().decode(bytes.subarray(0, 2000)).includes(reportMark);
}

/** The page. */
export function reportHtml(run: RunRecord, drawn: readonly DrawnChart[]): string {
  const { notes, config } = run;
  const result = linesOf(run, "result").at(-1);
  const names = notes.classNames;
  const { before, after } = notes;
  const step = run.lines.at(-1)?.step ?? 0;
  const steps = typeof config.steps === "number" ? config.steps : undefined;
  const isDone = result !== undefined && result.outOfTime !== true;
  const isStopped = result?.outOfTime === true ? ": its minutes were over" : "";
  const state = isDone
    ? `Finished: ${step.toLocaleString("en")} steps.`
    : `Not finished: ${step.toLocaleString("en")}${steps === undefined ? "" : ` of ${steps.toLocaleString("en")}`} steps so far${isStopped}.`;
  const recoveries = linesOf(run, "recovery").map(
    ({ step: back, divergedAt, learningRate }) =>
      `Step ${divergedAt} diverged; the run went back to step ${back} and on at the rate ${number(learningRate)}.`,
  );
  const sections = [
    `<p class="quiet">${escapeHtml([state, ...courseWords((result ?? {}) as EndOfRun, config), ...recoveries, notes.data ?? ""].filter((text) => text !== "").join(" "))}</p>`,
    cardsHtml(run),
    ...(before && after ? [section("Before and after", beforeAndAfter(before, after))] : []),
    ...(drawn.length > 0 ? [section("Course", drawn.map(figureHtml).join("\n"))] : []),
    ...(after?.classification
      ? [
          section(
            "Classes",
            `<p class="quiet">On ${count(after.examples)} test examples. Rows are what they are, columns what they are taken for.</p>` +
              matrixOf(after.classification.confusion, names) +
              classesHtml(after, names),
          ),
        ]
      : []),
    ...(after && after.mistakes.length > 0 ? [section("Worst mistakes", mistakesHtml(after, names))] : []),
    ...(Array.isArray(notes.understood)
      ? [section("What was understood", understoodHtml(notes.understood))]
      : []),
    section("Settings", settingsHtml(run)),
    ...(notes.command ? [section("The same again", `<pre>${escapeHtml(notes.command)}</pre>`)] : []),
    ...(notes.code ? [`<h3>As a program</h3>\n<pre>${escapeHtml(notes.code)}</pre>`] : []),
    notes.software ? `<p class="quiet">${escapeHtml(notes.software)}</p>` : "",
  ];
  return page({ title: `Run ${run.name}`, head: reportMark, body: sections.join("\n") });
}

/** Lines of "what: as it was understood". */
function understoodHtml(lines: readonly string[]): string {
  const rows = lines.map(String).map((line) => {
    const end = line.indexOf(": ");
    return end < 0 ? ["", line] : [line.slice(0, end), line.slice(end + 2)];
  });
  return tableHtml({ header: ["of the run", "before it trained"], rows }, "texts");
}

function section(title: string, body: string): string {
  return `<h2>${escapeHtml(title)}</h2>\n${body}`;
}

function count(value: number): string {
  return value.toLocaleString("en");
}

/** The few numbers that people look for first. */
function cardsHtml(run: RunRecord): string {
  const result = linesOf(run, "result").at(-1);
  const last = linesOf(run, "epoch").at(-1);
  const value = (name: string) => {
    const found = result?.[name];
    return typeof found === "number" ? found : undefined;
  };
  const macro = run.notes.after?.classification?.macroF1;
  const { regression, entities, retrieval, perplexity } = run.notes.after ?? {};
  const cards: readonly (readonly [string, string | undefined])[] = [
    ["test accuracy", percent(value("testAccuracy"))],
    ["perplexity", perplexity === undefined ? undefined : number(perplexity)],
    ["retrieval accuracy", percent(retrieval?.accuracy)],
    ["mean reciprocal rank", retrieval && number(retrieval.meanReciprocalRank)],
    ["entity F1", percent(entities?.f1)],
    ["macro F1", percent(macro)],
    ["R²", regression && number(regression.r2)],
    ["mean absolute error", regression && number(regression.meanAbsoluteError)],
    ["test loss", number(value("testLoss"))],
    ["validation accuracy", percent(value("validationAccuracy") ?? last?.validationAccuracy)],
    ["validation loss", number(value("validationLoss") ?? last?.validationLoss)],
    ["training loss", number(value("trainLoss") ?? last?.trainLoss)],
    ["parameters", value("parameters") === undefined ? undefined : count(value("parameters") ?? 0)],
    [
      "a step",
      value("secondsPerStep") === undefined
        ? undefined
        : `${number(1000 * (value("secondsPerStep") ?? 0))} ms`,
    ],
    ["cosine of the estimates", number(value("cosine"))],
  ];
  const guessing = result?.guessing as { readonly accuracy?: number; readonly loss?: number } | undefined;
  const baseline =
    guessing?.accuracy === undefined
      ? ""
      : `<p class="quiet">One answer to everything would be right for ${percent(guessing.accuracy)}.</p>`;
  const shown = cards.filter(([, text]) => text !== undefined && text !== "–");
  return (
    `<div class="cards">${shown.map(([name, text]) => `<div><span>${escapeHtml(name)}</span><strong>${escapeHtml(text ?? "")}</strong></div>`).join("")}</div>` +
    baseline
  );
}

function beforeAndAfter(before: Judgement, after: Judgement): string {
  const [old, now] = [scoreRows(before), scoreRows(after)];
  const rows = now.map(([name, value]) => [name, old.find(([other]) => other === name)?.[1] ?? "–", value]);
  return tableHtml({ header: ["on test examples", "before", "after"], rows }, "results");
}

function classesHtml({ classification }: Judgement, names: readonly string[] | undefined): string {
  const rows = (classification?.classes ?? []).map(({ precision, recall, f1, support }, index) => [
    names?.[index] ?? String(index),
    percent(precision) ?? "–",
    percent(recall) ?? "–",
    percent(f1) ?? "–",
    count(support),
  ]);
  return tableHtml({ header: ["class", "precision", "recall", "F1", "examples"], rows }, "results");
}

function mistakesHtml({ mistakes, classification }: Judgement, names: readonly string[] | undefined): string {
  const nameOf = (value: number) => (classification ? (names?.[value] ?? String(value)) : number(value));
  const words = classification
    ? "taken for"
    : mistakes.some(({ names: own }) => own)
      ? "where the model says"
      : "predicted as";
  const cards = mistakes.map((mistake: Mistake) => {
    const { example, truth, taken, probability, picture, text, pair, around, names: own, fields } = mistake;
    if (pair) return pairHtml(mistake, pair);
    const sure = probability === undefined ? "" : ` <span class="quiet">(${percent(probability)})</span>`;
    const shown =
      picture && /^data:image\/png;base64,[A-Za-z0-9+/=]*$/.test(picture)
        ? `<img src="${picture}" alt="example ${example}">`
        : text !== undefined
          ? `<p dir="auto">${escapeHtml(text)}</p>`
          : around
            ? aroundHtml(around, own === undefined)
            : fields
              ? `<dl>${fields.map(([name, value]) => `<div><dt>${escapeHtml(name)}</dt><dd>${escapeHtml(value)}</dd></div>`).join("")}</dl>`
              : "";
    return (
      `<figure class="mistake">${shown}<figcaption><strong>${escapeHtml(own ? quoted(own[0]) : nameOf(truth))}</strong> ${words} ` +
      `<strong>${escapeHtml(own ? quoted(own[1]) : nameOf(taken))}</strong>${sure}<br><span class="quiet">example ${example}</span></figcaption></figure>`
    );
  });
  const which = mistakes.some(({ pair }) => pair)
    ? "Pairs of the test examples whose own second text is farther than another one, the widest gaps of the cosine first."
    : "Those with the largest losses among the test examples.";
  const isText = mistakes.some(({ text, pair, around }) => text ?? pair ?? around);
  return `<p class="quiet">${which}</p><div class="mistakes${isText ? " texts" : ""}">${cards.join("\n")}</div>`;
}

/** A word or token between its neighbours; of next tokens, nothing behind it is known. */
function aroundHtml({ before, own, after }: NonNullable<Mistake["around"]>, isWord: boolean): string {
  const [left, right] = isWord ? [`${before} `, ` ${after}`] : [before, after];
  return `<p dir="auto">${escapeHtml(left)}<mark>${escapeHtml(isWord ? own : visible(own))}</mark><span class="quiet">${escapeHtml(right)}</span></p>`;
}

/** A token with its spaces and ends of lines. */
function visible(token: string): string {
  return printable(token.replaceAll("\n", "↵")).replaceAll(" ", "\u00a0");
}

function quoted(token: string): string {
  return `“${visible(token)}”`;
}

/** The first text of a pair, its own second text, and the one that is nearer. */
function pairHtml(
  { example, truth, taken, text }: Mistake,
  { own, found, rank }: NonNullable<Mistake["pair"]>,
): string {
  const line = (name: string, cosine: number, shown: string) =>
    `<dt>${name} <span class="quiet">(cosine ${number(cosine)})</span></dt><dd dir="auto">${escapeHtml(shown)}</dd>`;
  return (
    `<figure class="mistake pair"><p dir="auto"><strong>${escapeHtml(text ?? "–")}</strong></p><dl>${line("its own", truth, own)}${line("found", taken, found)}</dl>` +
    `<figcaption><span class="quiet">pair ${example}, its own comes at rank ${count(rank)}</span></figcaption></figure>`
  );
}

/** Long hashes of what was trained and on what are left to config.json. */
const fingerprints = new Set(["model", "data", "test", "parameters", "format"]);

function settingsHtml({ config }: RunRecord): string {
  const rows = Object.entries(flattened(config))
    .filter(([name, value]) => value !== null && !fingerprints.has(name))
    .map(([name, value]) => [name, String(value)]);
  return (
    tableHtml({ header: ["setting", "value"], rows }, "texts") +
    `<p class="quiet">${proseHtml("What is not listed has no value. config.json has all of it, with fingerprints of model and data.")}</p>`
  );
}
