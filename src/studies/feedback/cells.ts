/** What the study of feedback compares: networks, numbers of tangents, and ways to estimate the gradient. */
import type { Dataset } from "../../data/dataset.ts";
import { activations } from "../../estimate/estimators.ts";
import { feedback } from "../../guess/feedback.ts";
import { lenet5 } from "../../models/lenet5.ts";
import { mlp } from "../../models/mlp.ts";
import type { Graph } from "../../onnx/graph.ts";
import type { EstimatorSettings } from "../../train/settings/estimator.ts";
import { numberIn } from "../statistics.ts";
import type { Row } from "../study.ts";

export const parts = ["quality", "accuracy"] as const;
export type Part = (typeof parts)[number];

export const networkNames = ["mlp", "lenet5"] as const;
export type NetworkName = (typeof networkNames)[number];

export type FeedbackSettings = {
  dataset: string;
  parts: Part[];
  networks: NetworkName[];
  width: number;
  depth: number;
  tangents: number;
  widths: number[];
  depths: number[];
  counts: number[];
  gammas: number[];
  points: number[];
  draws: number;
  steps: number;
  rates: number[];
  seeds: number;
  batch: number;
};

/** A network and a number of tangents. */
export interface Cell {
  readonly network: NetworkName;
  /** Of each hidden layer of an mlp; absent for lenet5. */
  readonly width?: number;
  /** Hidden layers of an mlp; absent for lenet5. */
  readonly depth?: number;
  /** k */
  readonly k: number;
}

/** The columns that tell cells apart. */
export const cellNames = ["network", "width", "depth", "k"] as const satisfies (keyof Cell)[];

/**
 * How a network is trained. exact: by the exact gradient; last layer: the same, with all other layers as they were made; none:
 * tangents without a guess; feedback: tangents that correct feedback by γ.
 */
export type Method =
  | { readonly guess: "exact" | "last layer" | "none" }
  | { readonly guess: "feedback"; readonly gamma: number };

/** The columns that tell methods apart. */
export const methodNames = ["guess", "gamma"] as const;

/** The network that everything else is compared with. */
export function baseCell({ width, depth, tangents: k }: FeedbackSettings): Cell {
  return { network: "mlp", width, depth, k };
}

/**
 * Each network at the usual number of tangents, and the mlp with one thing changed at a time: its width, its depth, or the number
 * of tangents.
 */
export function cellsOf(settings: FeedbackSettings): readonly Cell[] {
  const { networks, widths, depths, counts, tangents: k } = settings;
  const base = baseCell(settings);
  const all = [
    ...(networks.includes("mlp")
      ? [
          base,
          ...counts.map((count) => ({ ...base, k: count })),
          ...depths.map((depth) => ({ ...base, depth })),
          ...widths.map((width) => ({ ...base, width })),
        ]
      : []),
    ...(networks.includes("lenet5") ? [{ network: "lenet5" as const, k }] : []),
  ];
  return [...new Map(all.map((cell) => [cellKey(cell), cell])).values()];
}

/** The forward methods of each cell, and what they are seen beside, which knows no tangents: k = 0. */
export function trainedCells(
  settings: FeedbackSettings,
): readonly { readonly cell: Cell; readonly method: Method }[] {
  const cells = cellsOf(settings);
  const without = new Map(cells.map((cell) => [cellKey({ ...cell, k: 0 }), { ...cell, k: 0 }]));
  const references = (["exact", "last layer"] as const).map((guess): Method => ({ guess }));
  return [
    ...[...without.values()].flatMap((cell) => references.map((method) => ({ cell, method }))),
    ...cells.flatMap((cell) => forwardMethods(settings).map((method) => ({ cell, method }))),
  ];
}

/** None, and feedback with each γ. */
export function forwardMethods({ gammas }: Pick<FeedbackSettings, "gammas">): readonly Method[] {
  return [{ guess: "none" }, ...gammas.map((gamma): Method => ({ guess: "feedback", gamma }))];
}

/** "network=mlp/width=64/depth=2/k=16" */
export function cellKey({ network, width, depth, k }: Cell): string {
  return Object.entries({ network, width, depth, k: k || undefined })
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${value}`)
    .join("/");
}

/** "guess=none" or "guess=feedback/gamma=1" */
export function methodKey(method: Method): string {
  const gamma = method.guess === "feedback" ? `/gamma=${method.gamma}` : "";
  return `guess=${method.guess.replace(" ", "-")}${gamma}`;
}

/** "no guess", "feedback, γ = 1": what charts and tables call the method of a row. */
export function methodName({ guess, gamma }: Row): string {
  if (guess === "feedback") return `feedback, γ = ${gamma}`;
  return guess === "none" ? "no guess" : guess === "exact" ? "exact gradient" : String(guess);
}

/** "mlp 64-64, k = 16" */
export function cellName(row: Row): string {
  const tangents = row.k === 0 ? "" : `, k = ${row.k}`;
  return `${networkName(row)}${tangents}`;
}

/** "mlp 64-64" or "lenet5" */
export function networkName(row: Row): string {
  if (row.network !== "mlp") return String(row.network);
  const [width, depth] = [numberIn(row, "width"), numberIn(row, "depth")];
  return depth > 3 ? `mlp ${depth} × ${width}` : `mlp ${Array(depth).fill(width).join("-")}`;
}

/** A cell's network for a dataset. */
export function buildNetwork(
  { network, width = 0, depth = 0 }: Cell,
  { train, classes, normalization }: Dataset,
  seed: number,
): Graph {
  const common = { input: train.shape, outputs: classes, normalization, seed };
  return network === "lenet5" ? lenet5(common) : mlp({ ...common, hidden: Array(depth).fill(width) });
}

/** The parameters of a network's last layer begin with it. */
export function lastLayer({ network, depth = 0 }: Cell): string {
  return network === "lenet5" ? "fc3." : `layer${depth + 1}.`;
}

/** What the library is asked for. */
export function estimatorOf({ k }: Cell, method: Method): EstimatorSettings {
  switch (method.guess) {
    case "exact":
    case "last layer":
      return { gradient: "exact" };
    case "none":
      return { tangents: k, perturb: activations({ guess: "none" }) };
    case "feedback":
      return { tangents: k, perturb: studied(method.gamma) };
  }
}

/** Feedback of the logits' gradient, whose matrix is the same in kind for all networks, and can be looked at. */
export function studied(gamma: number) {
  return activations({ guess: feedback({ gamma, signal: "logits" }) });
}
