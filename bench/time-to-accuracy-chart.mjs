// The picture of time-to-accuracy.mjs: test accuracy over seconds of training, as an SVG file in the look of the studies' charts.
import { writeFileSync } from "node:fs";
import { panelChart } from "../dist/charts/charts.js";
import { drawChart } from "../dist/charts/vega.js";

const here = "this library";
const there = "PyTorch";
/** Which line a method has. */
const lines = {
  "feedback-2": ["feedback, k = 2", here],
  "feedback-4": ["feedback, k = 4", here],
  "feedback-8": ["feedback, k = 8", here],
  "feedback-16": ["feedback, k = 16", here],
  exact: ["exact gradients", here],
  pytorch: ["exact gradients", there],
  "no-guess": ["no guess, k = 16", here],
  frog: ["no guess, weights, k = 16", there],
};
/** In %; what is worse is left out. */
const lowest = 90;

/** @param rows of time-to-accuracy.mjs */
export async function drawTimeToAccuracy(rows, file) {
  const panelOf = ({ model, target }) => `${model} (target ${100 * target} %)`;
  const points = rows.flatMap((row) => {
    const [series, style] = lines[row.method];
    return row.curve
      .map(({ seconds, accuracy, low, high, seeds }) => ({
        ...{ x: seconds, y: 100 * accuracy, series, style, panel: panelOf(row), kind: "measured" },
        ...(seeds > 1 ? { low: 100 * low, high: 100 * high } : {}),
      }))
      .filter(({ y }) => y >= lowest);
  });
  if (points.length === 0) {
    console.error(`No chart: no accuracy of at least ${lowest} % was measured.`);
    return;
  }
  const shown = new Set(points.map(({ series }) => series));
  const values = [...new Set(Object.values(lines).map(([series]) => series))].filter((one) => shown.has(one));
  const chart = {
    name: "time-to-accuracy",
    title: "Test accuracy over training time",
    caption:
      "Each dot is a run of its own length, with the cosine schedule; bars are the range of the seeds.",
    spec: (width) =>
      panelChart(
        {
          points,
          x: { title: "training time (s)", log: 10 },
          y: { title: "test accuracy (%)" },
          series: { title: null, values },
          ...(points.some(({ style }) => style === there) && {
            styles: { title: null, values: [here, there] },
          }),
          panels: [...new Set(rows.map(panelOf))],
          kinds: false,
          joined: true,
        },
        width,
      ),
  };
  writeFileSync(file, `${await drawChart(chart, 720, "file")}\n`);
}
