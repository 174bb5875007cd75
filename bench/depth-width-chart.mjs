// The picture of depth-width.mjs, as an SVG file by Vega-Lite. Also from data: node bench/depth-width-chart.mjs DATA.json FILE.svg
import { readFileSync, writeFileSync } from "node:fs";
import * as vega from "vega";
import { compile } from "vega-lite";

// Okabe and Ito's colours, told apart by shape and dash as well.
const styles = {
  activations: { color: "#0072b2", dash: [1, 0], shape: "circle" },
  "weights, low-rank": { color: "#d55e00", dash: [6, 3], shape: "square" },
  "exact gradient": { color: "#000000", dash: [2, 2], shape: "triangle-up" },
};
const names = Object.keys(styles);
const scale = (member) => ({ domain: names, range: names.map((name) => styles[name][member]) });

/** @param rows of depth-width.mjs */
export async function drawDepthWidth(rows, file) {
  const values = rows
    .filter((row) => !row.skipped)
    .map(({ estimator, width, depth, milliseconds, peakBytes }) => ({
      ...{ estimator, width, depth, milliseconds },
      mebibytes: peakBytes / 2 ** 20,
    }));
  const panel = (field, title, last) => ({
    facet: {
      column: {
        field: "width",
        type: "ordinal",
        title: last ? null : "Width of the hidden layers",
        header: last ? { labels: false } : { labelFontSize: 13, titleFontSize: 14 },
      },
    },
    spacing: 12,
    spec: {
      width: 150,
      height: 190,
      mark: { type: "line", point: { size: 45, filled: true }, strokeWidth: 2 },
      encoding: {
        x: {
          field: "depth",
          type: "quantitative",
          scale: { type: "log", base: 2, domain: [1.8, 36], nice: false },
          axis: { values: [2, 4, 8, 16, 32], title: last ? "Hidden layers" : null, format: "d" },
        },
        y: {
          field,
          type: "quantitative",
          scale: { type: "log", nice: false, padding: 8 },
          axis: { title, format: ",", values: [1, 3, 10, 30, 100, 300, 1000, 3000, 10_000, 30_000] },
        },
        color: { field: "estimator", type: "nominal", scale: scale("color"), title: null },
        strokeDash: { field: "estimator", type: "nominal", scale: scale("dash"), title: null },
        shape: { field: "estimator", type: "nominal", scale: scale("shape"), title: null },
      },
    },
  });
  const { spec } = compile({
    data: { values },
    background: "white",
    padding: 10,
    vconcat: [panel("milliseconds", "Step, ms", false), panel("mebibytes", "Peak memory, MiB", true)],
    config: {
      font: "Helvetica, Arial, sans-serif",
      axis: { labelFontSize: 12, titleFontSize: 13, gridColor: "#dddddd" },
      legend: {
        orient: "top",
        labelFontSize: 13,
        labelLimit: 300,
        columnPadding: 30,
        symbolSize: 90,
        symbolStrokeWidth: 0,
      },
      view: { stroke: "#888888" },
    },
  });
  const view = new vega.View(vega.parse(spec), { renderer: "none" });
  writeFileSync(file, `${await view.toSVG()}\n`);
  view.finalize();
}

if (process.argv[1] === import.meta.filename) {
  const [data, file] = process.argv.slice(2);
  await drawDepthWidth(JSON.parse(readFileSync(data, "utf8"))["depth-width"], file);
}
