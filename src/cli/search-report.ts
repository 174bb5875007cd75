import type { Trial } from "../search/events.ts";
import { textTable } from "./text-table.ts";

const columns = [
  "rung",
  "learningRate",
  "seed",
  "steps",
  "diverged",
  "validationLoss",
  "validationAccuracy",
  "seconds",
] as const;

/** One row for each trial, in the order in which they ran; empty where there is no number. */
export function trialsAsCsv(trials: readonly Trial[]): string {
  const rows = trials.map((trial) => columns.map((name) => trial[name] ?? "").join(","));
  return `${[columns.join(","), ...rows].join("\n")}\n`;
}

/** A table for a terminal: the last round first, in each the lowest rate first. */
export function tableOfTrials(trials: readonly Trial[]): string {
  const sorted = [...trials].sort(
    (a, b) => b.rung - a.rung || a.learningRate - b.learningRate || a.seed - b.seed,
  );
  const cells = sorted.map(({ steps, learningRate, seed, diverged, validationLoss, validationAccuracy }) => [
    `${steps}`,
    learningRate.toPrecision(4),
    `${seed}`,
    diverged ? "diverged" : (validationLoss?.toFixed(4) ?? "–"),
    validationAccuracy === undefined ? "–" : `${(100 * validationAccuracy).toFixed(2)} %`,
  ]);
  return textTable([["steps", "rate", "seed", "validation loss", "accuracy"], ...cells]).join("\n");
}

/** A chart of what the trials were judged by over their rates, one line for each round, as SVG. */
export async function drawTrials(trials: readonly Trial[], judge: "loss" | "accuracy"): Promise<string> {
  const [{ compile }, { parse, View }] = await Promise.all([import("vega-lite"), import("vega")]);
  const field = judge === "loss" ? "validationLoss" : "validationAccuracy";
  const { spec } = compile({
    title: "Learning rates tried; runs that diverged are left out",
    width: 480,
    height: 300,
    background: "white",
    data: { values: trials.filter(({ diverged }) => !diverged).map((trial) => ({ ...trial })) },
    mark: { type: "line", point: true },
    encoding: {
      x: { field: "learningRate", type: "quantitative", scale: { type: "log" }, title: "learning rate" },
      y: {
        field,
        aggregate: "mean",
        type: "quantitative",
        scale: { zero: false },
        title: `validation ${judge}`,
      },
      color: { field: "steps", type: "ordinal", title: "steps" },
    },
  });
  const view = new View(parse(spec), { renderer: "none" });
  try {
    return await view.toSVG();
  } finally {
    view.finalize();
  }
}
