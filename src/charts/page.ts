/** Pages with charts and tables: one file, no scripts, nothing loaded, light and dark, for desks and phones. */
import type { Chart } from "./chart.ts";

/** A chart as drawn: SVG texts. */
export interface DrawnChart {
  readonly chart: Chart;
  /** For the page: colours follow the page's, one for wide windows and one for phones. */
  readonly wide: string;
  readonly narrow: string;
}

/** What a page holds beside its look. */
export interface PageParts {
  readonly title: string;
  /** HTML below the title. */
  readonly body: string;
  /** Further elements of its head. */
  readonly head?: string;
}

/** The page as HTML. */
export function page({ title, body, head = "" }: PageParts): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">${head && `\n${head}`}
<title>${escapeHtml(title)}</title>
<style>${style}</style>
</head>
<body>
<main>
<h1>${escapeHtml(title)}</h1>
${body}
</main>
</body>
</html>
`;
}

/** A table of texts. @param kind results: short cells, which do not break */
export function tableHtml(
  { header, rows }: { readonly header: readonly string[]; readonly rows: readonly (readonly string[])[] },
  kind: "texts" | "results",
): string {
  return (
    `<div class="scroll"><table class="${kind}"><thead><tr>${header.map((text) => `<th>${escapeHtml(text)}</th>`).join("")}</tr></thead>` +
    `<tbody>${rows.map((row) => `<tr>${row.map((text) => `<td>${escapeHtml(text)}</td>`).join("")}</tr>`).join("")}</tbody></table></div>`
  );
}

/**
 * A square table of counts, whose cells are the darker the larger their share of the row: those on the diagonal in another color.
 *
 * @param counts [names, names], row by row
 */
export function matrixHtml(counts: readonly number[], names: readonly string[]): string {
  const rows = names.map((name, row) => {
    const own = counts.slice(row * names.length, (row + 1) * names.length);
    const total = own.reduce((sum, each) => sum + each, 0);
    const cells = own.map((each, column) => {
      const share = total === 0 ? 0 : Math.round((70 * each) / total);
      const color = column === row ? "var(--yes)" : "var(--no)";
      return `<td style="background: color-mix(in srgb, ${color} ${share}%, transparent)">${each === 0 ? "" : each.toLocaleString("en")}</td>`;
    });
    return `<tr><th>${escapeHtml(name)}</th>${cells.join("")}</tr>`;
  });
  return (
    `<div class="scroll"><table class="matrix"><thead><tr><th></th>${names.map((name) => `<th>${escapeHtml(name)}</th>`).join("")}</tr></thead>` +
    `<tbody>${rows.join("")}</tbody></table></div>`
  );
}

/** A chart with its title and caption. */
export function figureHtml({ chart, wide, narrow }: DrawnChart): string {
  return (
    `<figure id="${chart.name}"><h3>${escapeHtml(chart.title)}</h3><div class="wide">${withOwnIds(wide, `${chart.name}-wide`)}</div>` +
    `<div class="narrow">${withOwnIds(narrow, `${chart.name}-narrow`)}</div><figcaption>${proseHtml(chart.caption)}</figcaption></figure>`
  );
}

/** Sentences, in which no line breaks between a number and its percent sign. */
export function proseHtml(text: string): string {
  return escapeHtml(text).replaceAll(" %", "&nbsp;%");
}

/** Text as HTML. */
export function escapeHtml(text: string): string {
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
@media (max-width: 479px) {
  .results { font-size: 0.8rem; }
  .results th, .results td { padding-right: 0.45rem; }
  .results td:first-child { min-width: 4.5rem; overflow-wrap: anywhere; }
}
.cards { display: flex; flex-wrap: wrap; gap: 0.6rem; margin: 1rem 0; }
.cards div { background: var(--panel); border-radius: 6px; padding: 0.5rem 0.8rem; min-width: 8rem; flex: 1 0 auto; }
.cards span { display: block; color: var(--quiet); font-size: 0.82rem; }
.cards strong { font-size: 1.15rem; font-weight: 600; }
.mistakes { display: grid; grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); gap: 0.8rem; }
.mistakes.texts { grid-template-columns: repeat(auto-fill, minmax(min(230px, 100%), 1fr)); }
.mistake { margin: 0; background: var(--panel); border-radius: 6px; padding: 0.6rem; }
.mistake img { display: block; width: 96px; height: 96px; object-fit: contain; image-rendering: pixelated; margin: 0 auto 0.4rem; background: var(--page); }
.mistake p { margin: 0 0 0.5rem; font-size: 0.85rem; overflow-wrap: anywhere; }
.mistake figcaption { color: var(--text); font-size: 0.85rem; }
.mistake dl { margin: 0 0 0.5rem; font-size: 0.8rem; }
.mistake dl div { display: flex; justify-content: space-between; gap: 0.6rem; border-bottom: 1px solid var(--line); }
.mistake dt { color: var(--quiet); }
.mistake dd { margin: 0; text-align: right; }
.mistake.pair dd { margin-bottom: 0.35rem; text-align: start; }
.mistake mark { background: none; color: var(--no); font-weight: 600; }
.matrix td { text-align: right; padding: 0.25rem 0.5rem; border: 0; font-variant-numeric: tabular-nums; white-space: nowrap; }
.matrix th { padding: 0.25rem 0.5rem; border: 0; font-weight: normal; color: var(--quiet); }
.matrix tbody th { text-align: right; white-space: nowrap; }
.matrix thead th { text-align: right; vertical-align: bottom; white-space: nowrap; }
pre { background: var(--panel); border-left: 3px solid var(--line); padding: 0.7rem 1rem; white-space: pre-wrap; font-size: 0.82rem; line-height: 1.45; }
`;
