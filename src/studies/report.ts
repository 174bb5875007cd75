/** A finished study as a page, in Markdown and in HTML. */
import * as z from "zod/mini";
import type { Chart } from "../charts/chart.ts";
import { encodeHeader, encodeRows } from "./results.ts";
import { formatSetting, type Scale } from "./settings.ts";
import type { Results, Study, Table } from "./study.ts";
import { legendOf, marks, outcomeOf, outcomeText, whyText } from "./verdict.ts";

/** A chart as drawn: SVG texts. */
export interface DrawnChart {
  readonly chart: Chart;
  /** For the page: colours follow the page's, one for wide windows and one for phones. */
  readonly wide: string;
  readonly narrow: string;
}

/** Everything that a report says. */
export interface Report {
  readonly study: Study;
  readonly scale: Scale;
  readonly results: Results;
  readonly drawn: readonly DrawnChart[];
  readonly seconds: number;
  /** "forwardgrad 0.1.0, onnxruntime-node 1.30.0" */
  readonly software: string;
}

/** summary.csv */
export function summaryCsv({ study, results }: Pick<Report, "study" | "results">): string {
  return encodeHeader(study.summaryColumns) + encodeRows(study.summaryColumns, results.summary);
}

/** "12 s" or "25 min" */
export function formatDuration(seconds: number): string {
  if (seconds < 99.5) return `${seconds.toFixed(0)} s`;
  return seconds < 5970 ? `${(seconds / 60).toFixed(0)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

/** report.md, which shows the charts of `charts/`. */
export function markdownReport(report: Report): string {
  const { study, results, drawn } = report;
  const verdicts = study.verdicts(results);
  const cell = (text: string) => text.replaceAll("|", "\\|");
  const table = ({ header, rows }: Omit<Table, "title">) =>
    [header, header.map(() => "---"), ...rows].map((line) => `| ${line.map(cell).join(" | ")} |`).join("\n");
  const parts = [
    `# ${study.title}`,
    `_${study.source}_`,
    "## Claim",
    study.claim,
    ["```text", ...study.equation, "```"].join("\n"),
    "## Verdict",
    verdicts
      .map((verdict) =>
        [
          `- ${marks[outcomeOf(verdict)]} **${verdict.statement}** (${outcomeText(verdict)}):`,
          whyText(verdict),
          verdict.holds === true || verdict.evidence === ""
            ? verdict.evidence
            : `Measured: ${verdict.evidence}`,
        ]
          .filter((part) => part !== "")
          .join(" "),
      )
      .join("\n"),
    ...[legendOf(verdicts) ?? []].flat(),
    "## Result",
    ...drawn.flatMap(({ chart }) => [
      `### ${chart.title}`,
      `![${chart.title}](charts/${chart.name}.svg)`,
      chart.caption,
    ]),
    ...(study.tables?.(results) ?? []).flatMap((given) => [`### ${given.title}`, table(given)]),
    "## How it was measured",
    study.method,
    table(settingsTable(report)),
    notes(report)
      .map((note) => `- ${note}`)
      .join("\n"),
    "## Files",
    table(filesTable(study)),
  ];
  return `${parts.join("\n\n")}\n`;
}

/** report.html: one file, no scripts, nothing loaded. */
export function htmlReport(report: Report): string {
  const { study, results, drawn } = report;
  const table = ({ header, rows }: Omit<Table, "title">, kind: "texts" | "results") =>
    `<div class="scroll"><table class="${kind}"><thead><tr>${header.map((text) => `<th>${escapeHtml(text)}</th>`).join("")}</tr></thead>` +
    `<tbody>${rows.map((row) => `<tr>${row.map((text) => `<td>${escapeHtml(text)}</td>`).join("")}</tr>`).join("")}</tbody></table></div>`;
  const verdicts = study.verdicts(results);
  const legend = legendOf(verdicts);
  const items = verdicts.map((verdict) => {
    const kind = outcomeOf(verdict);
    const fault = verdict.holds === false ? ` ${verdict.reason.fault}` : "";
    const [why, evidence] = [whyText(verdict), verdict.evidence].map(proseHtml);
    return (
      `<li class="${kind}${fault}"><span class="mark" aria-hidden="true">${marks[kind]}</span><div><strong>${escapeHtml(verdict.statement)}</strong> ` +
      `<em>${outcomeText(verdict)}</em>${why ? `<p>${why}</p>` : ""}${evidence ? `<p${why ? ' class="quiet"' : ""}>${evidence}</p>` : ""}</div></li>`
    );
  });
  const figures = drawn.map(
    ({ chart, wide, narrow }) =>
      `<figure id="${chart.name}"><h3>${escapeHtml(chart.title)}</h3><div class="wide">${withOwnIds(wide, `${chart.name}-wide`)}</div>` +
      `<div class="narrow">${withOwnIds(narrow, `${chart.name}-narrow`)}</div><figcaption>${proseHtml(chart.caption)}</figcaption></figure>`,
  );
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(study.title)}</title>
<style>${style}</style>
</head>
<body>
<main>
<h1>${escapeHtml(study.title)}</h1>
<p class="quiet">${escapeHtml(study.source)}</p>
<h2>Claim</h2>
<p>${escapeHtml(study.claim)}</p>
<div class="equation">${study.equation.map((line) => `<div>${escapeHtml(line)}</div>`).join("")}</div>
<h2>Verdict</h2>
<ul class="verdicts">${items.join("\n")}</ul>
${legend ? `<p class="quiet">${legend}</p>` : ""}
<h2>Result</h2>
${figures.join("\n")}
${(study.tables?.(results) ?? []).map((given) => `<h3>${escapeHtml(given.title)}</h3>\n${table(given, "results")}`).join("\n")}
<h2>How it was measured</h2>
<p>${escapeHtml(study.method)}</p>
${table(settingsTable(report), "texts")}
<ul>${notes(report)
    .map((note) => `<li>${escapeHtml(note)}</li>`)
    .join("\n")}</ul>
<h2>Files</h2>
${table(filesTable(study), "texts")}
</main>
</body>
</html>
`;
}

function settingsTable({ study, results }: Report): Omit<Table, "title"> {
  return {
    header: ["setting", "value", "meaning"],
    rows: Object.entries(study.settings).map(([name, rule]) => [
      name,
      formatSetting(results.settings[name] ?? ""),
      z.globalRegistry.get(rule)?.description ?? "",
    ]),
  };
}

function filesTable(study: Study): Omit<Table, "title"> {
  const columns = (list: Study["columns"]) =>
    list.map(({ name, description }) => `${name}: ${description}`).join("; ");
  return {
    header: ["file", "columns"],
    rows: [
      ["results.csv", columns(study.columns)],
      ["summary.csv", columns(study.summaryColumns)],
      ["charts/", "each chart as SVG and as the Vega-Lite specification that it was drawn from"],
    ],
  };
}

function notes({ study, scale, results, seconds, software }: Report): readonly string[] {
  const smaller = `A ${scale} run, smaller than the source's: forwardgrad study ${study.name} measures all.`;
  return [
    ...(scale === "full" ? [] : [smaller]),
    ...(scale === "quick" ? [study.quickLeavesOut] : []),
    ...(study.notes?.(results.settings) ?? []),
    `${results.rows.length.toLocaleString("en")} rows, measured in ${formatDuration(seconds)} with ${software}.`,
  ];
}

/** Sentences, in which no line breaks between a number and its percent sign. */
function proseHtml(text: string): string {
  return escapeHtml(text).replaceAll(" %", "&nbsp;%");
}

function escapeHtml(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}

/** Gives an SVG's clip paths and gradients names of their own, because several share the page. */
function withOwnIds(svg: string, prefix: string): string {
  return svg
    .replaceAll(/\bid="([^"]+)"/g, `id="${prefix}-$1"`)
    .replaceAll(/url\(#([^)]+)\)/g, `url(#${prefix}-$1)`);
}

const style = `
:root { --page: #ffffff; --text: #1b1f24; --quiet: #59626d; --line: #d5dae0; --panel: #f5f7f9; --yes: #007a5a; --no: #b44300; }
@media (prefers-color-scheme: dark) {
  :root { --page: #14171b; --text: #e7eaee; --quiet: #a3adb8; --line: #39414a; --panel: #1d2228; --yes: #35c79a; --no: #ff9152; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text); font: 16px/1.55 system-ui, sans-serif; overflow-wrap: anywhere; }
main { max-width: 760px; margin: 0 auto; padding: 24px 20px 64px; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0.5rem 0; }
h2 { font-size: 1.2rem; margin: 2rem 0 0.5rem; padding-bottom: 0.2rem; border-bottom: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.5rem 0 0.5rem; }
.quiet, figcaption { color: var(--quiet); }
figcaption { font-size: 0.9rem; }
figure { margin: 0 0 2rem; }
figure svg { display: block; max-width: 100%; height: auto; }
.narrow { display: none; }
@media (max-width: 719px) { .wide { display: none; } .narrow { display: block; } }
.equation { background: var(--panel); border-left: 3px solid var(--line); padding: 0.6rem 1rem; margin: 1rem 0; font-family: "STIX Two Math", "Cambria Math", serif; font-size: 1.05rem; }
.verdicts { list-style: none; padding: 0; }
.verdicts li { display: flex; gap: 0.7rem; margin: 0.9rem 0; }
.verdicts p { margin: 0.15rem 0 0; }
.verdicts p.quiet { font-size: 0.9rem; }
.mark { font-weight: bold; width: 1.2rem; flex: none; text-align: center; }
.yes .mark, .yes em { color: var(--yes); }
.no .mark, .no em, .open em { color: var(--quiet); }
.no.ours .mark, .no.ours em { color: var(--no); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.88rem; margin: 0.5rem 0; }
th, td { text-align: left; vertical-align: top; padding: 0.3rem 0.8rem 0.3rem 0; border-bottom: 1px solid var(--line); overflow-wrap: normal; }
td:first-child, .results th, .results td { white-space: nowrap; }
@media (max-width: 719px) { .results td:first-child { white-space: normal; min-width: 9rem; } }
`;
