/** A finished study as a page, in Markdown and in HTML. */
import * as z from "zod/mini";
import { type DrawnChart, escapeHtml, figureHtml, page, proseHtml, tableHtml } from "../charts/page.ts";
import { encodeHeader, encodeRows } from "./results.ts";
import { formatSetting, type Scale } from "./settings.ts";
import type { Results, Study, Table } from "./study.ts";
import { legendOf, marks, outcomeOf, outcomeText, whyText } from "./verdict.ts";

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
  const body = `<p class="quiet">${escapeHtml(study.source)}</p>
<h2>Claim</h2>
<p>${escapeHtml(study.claim)}</p>
<div class="equation">${study.equation.map((line) => `<div>${escapeHtml(line)}</div>`).join("")}</div>
<h2>Verdict</h2>
<ul class="verdicts">${items.join("\n")}</ul>
${legend ? `<p class="quiet">${legend}</p>` : ""}
<h2>Result</h2>
${drawn.map(figureHtml).join("\n")}
${(study.tables?.(results) ?? []).map((given) => `<h3>${escapeHtml(given.title)}</h3>\n${tableHtml(given, "results")}`).join("\n")}
<h2>How it was measured</h2>
<p>${escapeHtml(study.method)}</p>
${tableHtml(settingsTable(report), "texts")}
<ul>${notes(report)
    .map((note) => `<li>${escapeHtml(note)}</li>`)
    .join("\n")}</ul>
<h2>Files</h2>
${tableHtml(filesTable(study), "texts")}`;
  return page({ title: study.title, body });
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
