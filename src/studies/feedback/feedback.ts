/** Study: what a guess of the gradient that tangents correct gains, and where it does not help. */
import * as z from "zod/mini";
import { datasets } from "../../data/sets/list.ts";
import { count, some } from "../rules.ts";
import type { Study, Unit } from "../study.ts";
import { measureAccuracy } from "./accuracy.ts";
import {
  type Cell,
  cellKey,
  cellsOf,
  type FeedbackSettings,
  methodKey,
  networkNames,
  parts,
  trainedCells,
} from "./cells.ts";
import { feedbackCharts, feedbackTables } from "./charts.ts";
import { measureCellQuality } from "./quality.ts";
import { feedbackColumns, feedbackSummaryColumns, summarizeFeedback } from "./summary.ts";
import { feedbackVerdicts } from "./verdicts.ts";

/** What does a guess of the gradient that tangents correct gain, and where does it not help? */
export const feedbackStudy: Study<FeedbackSettings> = {
  name: "feedback",
  title: "Guess and correct: what is gained where tangents correct what earlier steps foresee?",
  source:
    "our own; feedback learned from perturbations: Lansdell et al., arXiv 1906.00889; Bacho and Chu, arXiv 2212.07282",
  claim:
    "A matrix that learns how a network's sites move its logits foresees most of the gradient. Tangents correct the rest: the estimate " +
    "has no bias, a tenth of the variance, and trains to more than half of what separates tangents alone from the exact gradient. " +
    "The guess alone has the higher cosine, and ends worse.",
  equation: [
    "m_b = Bᵀ δ_b,  δ_b = ∂ℓ_b/∂logits;  ĝ_b = m_b + γ (n/k) V_b c_b,  c_b = G_b⁺ (d_b − V_bᵀ m_b)",
    "bias² = ‖E ĝ − ∇f‖² / ‖∇f‖²,  variance = E‖ĝ − E ĝ‖² / ‖∇f‖²;  γ = 1: no bias; γ = 0: the guess alone",
    "B learns from the logits' tangents Y_b = V_bᵀ J_bᵀ, which the same pass carries: B → the mean Jacobian J̄",
  ],
  method:
    "Quality: a network is trained with feedback (γ = 1) at the library's default rate. At some steps, for the parameters, the batch and the " +
    "matrix of that moment, the estimates of all methods are drawn again with independent tangents, and compared with the exact gradient; " +
    "bias² and variance are measured without bias, from all pairs of draws. The matrix is compared with the mean Jacobian of the logits over 4 " +
    "other batches. Accuracy: the same number of SGD steps with each method, at the rate of a grid that validation examples choose; rates " +
    "are those of an estimate whose expectation is ∇f. Networks are an mlp, of which one thing is changed at a time, and a LeNet-5.",
  settings: {
    dataset: z
      .enum(datasets.map(({ name }) => name) as [string, ...string[]])
      .check(z.describe("images to learn, by name")),
    parts: some(z.enum(parts)).check(z.describe("what to measure: quality, accuracy")),
    networks: some(z.enum(networkNames)).check(z.describe("networks: mlp, lenet5")),
    width: count(1).check(z.describe("of the mlp's hidden layers")),
    depth: count(1).check(z.describe("the mlp's hidden layers")),
    tangents: count(1).check(z.describe("k, the number of tangents")),
    widths: some(count(1)).check(z.describe("other widths of the mlp")),
    depths: some(count(1)).check(z.describe("other numbers of hidden layers of the mlp")),
    counts: some(count(1)).check(z.describe("other numbers of tangents of the mlp")),
    gammas: some(z.number().check(z.minimum(0), z.maximum(1))).check(
      z.describe("γ: how much of the tangents' correction is added"),
    ),
    points: some(count(0)).check(z.describe("steps of training before each measurement of quality")),
    draws: count(3).check(z.describe("draws of the tangents at each of them")),
    steps: count(1).check(z.describe("steps of a training run")),
    rates: some(z.number().check(z.gt(0))).check(z.describe("learning rates to choose from")),
    seeds: count(1).check(z.describe("training runs of each method and rate, with the seeds from 0")),
    batch: count(2).check(z.describe("examples in a batch")),
  },
  full: {
    dataset: "mnist",
    parts: [...parts],
    networks: [...networkNames],
    width: 256,
    depth: 2,
    tangents: 16,
    widths: [64, 1024],
    depths: [1, 3, 4, 6],
    counts: [1, 4, 64],
    gammas: [0, 0.5, 1],
    points: [0, 2, 5, 10, 20, 50, 100, 200, 400, 800],
    draws: 12,
    steps: 860,
    rates: [0.05, 0.1, 0.2, 0.4],
    seeds: 3,
    batch: 64,
  },
  quick: {
    dataset: "glyphs",
    parts: [...parts],
    networks: [...networkNames],
    width: 128,
    depth: 2,
    tangents: 16,
    widths: [64, 256],
    depths: [1, 4],
    counts: [1, 4, 32],
    gammas: [0, 1],
    points: [0, 5, 20, 50, 100, 200],
    draws: 8,
    steps: 150,
    rates: [0.1, 0.2, 0.4],
    seeds: 1,
    batch: 64,
  },
  quickLeavesOut:
    "Left out: MNIST (drawn digits instead), γ = ½, all but a few widths, depths and numbers of tangents, most steps, and all seeds but one: networks " +
    "and numbers of tangents stand in for them where accuracies are compared.",
  tiny: {
    dataset: "glyphs",
    parts: [...parts],
    networks: ["mlp"],
    width: 16,
    depth: 1,
    tangents: 4,
    widths: [16],
    depths: [2],
    counts: [2],
    gammas: [0, 1],
    points: [0, 8],
    draws: 3,
    steps: 12,
    rates: [0.1],
    seeds: 1,
    batch: 16,
  },
  columns: feedbackColumns,
  summaryColumns: feedbackSummaryColumns,

  plan: (settings) => settings.parts.flatMap((part) => planners[part](settings)),
  summarize: summarizeFeedback,
  charts: feedbackCharts,
  tables: feedbackTables,
  verdicts: feedbackVerdicts,

  notes: ({ parts: measured }) => [
    "Feedback carries back the gradient of the logits here, so that all networks have matrices of one kind. Its default carries back the " +
      "gradient at the last block's input where that takes little memory, which knows the ReLUs behind it and leaves less to the tangents.",
    "The last layer's gradient is exact with every method, and counts in bias² and variance.",
    "Errors of bias² and variance are those of a jackknife over the draws, which rather overstates them; the guess alone does not depend on the tangents, so its bias² has no error.",
    ...(measured.includes("accuracy")
      ? [
          "Accuracies after so few steps tell how fast methods learn at first, not where a long training ends.",
        ]
      : []),
  ],
};

const planners = {
  quality: (settings: FeedbackSettings): readonly Unit[] =>
    cellsOf(settings).map((cell) => ({
      key: `quality/${cellKey(cell)}`,
      cost: weightOf(cell) * (Math.max(...settings.points) + 4 * settings.points.length * settings.draws),
      measure: (environment) => measureCellQuality(environment, cell, settings),
    })),
  accuracy: (settings: FeedbackSettings): readonly Unit[] =>
    trainedCells(settings).flatMap(({ cell, method }) =>
      settings.rates.flatMap((rate) =>
        Array.from({ length: settings.seeds }, (_, seed) => ({
          key: `accuracy/${cellKey(cell)}/${methodKey(method)}/rate=${rate}/seed=${seed}`,
          cost: weightOf(cell) * settings.steps,
          measure: (environment) => measureAccuracy(environment, { cell, method, rate, seed }, settings),
        })),
      ),
    ),
} as const;

/** Rough time of a step, for the progress bar. */
function weightOf({ network, width = 0, depth = 0, k }: Cell): number {
  const size = network === "lenet5" ? 2000 : width * (depth + 2);
  return size * (10 + k);
}
