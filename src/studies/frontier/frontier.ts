import * as z from "zod/mini";
import { datasets } from "../../data/sets/list.ts";
import { count, some } from "../rules.ts";
import type { Study, Unit } from "../study.ts";
import { measureAccuracy, type TrainedCell } from "./accuracy.ts";
import {
  aggregatorsOf,
  type Cell,
  cellAggregators,
  cellKey,
  cellSamplers,
  cellsOf,
  drawsOf,
  estimatorNames,
  type FrontierSettings,
  modelNames,
  parts,
  points,
} from "./cells.ts";
import { frontierCharts, frontierTables } from "./charts.ts";
import { measureCellQuality } from "./quality.ts";
import { frontierColumns, frontierSummaryColumns, summarizeFrontier } from "./summary.ts";
import { frontierVerdicts } from "./verdicts.ts";

/** Rough milliseconds of a forward pass with one tangent, for the progress bar. */
const weight = { mlp: 1, "mlp-small": 0.2, lenet5: 3, vit: 6 } as const;

/** Which estimator gives the best gradient, and the best model, for what it costs? */
export const frontier: Study<FrontierSettings> = {
  name: "frontier",
  title: "Which estimator should one choose? Quality of the gradient over its cost",
  source:
    "our own; estimators of Flügel et al., Beyond Backpropagation (arXiv 2410.17764), and of this library",
  claim:
    "Perturbing activations with tangents of each example's own gives a better gradient than perturbing weights, whatever either " +
    "may cost. Signs are as good as normal numbers, projection is at least as good as the mean, tangents of low rank are " +
    "worth more than dense ones of the same cost, tangents that correct what feedback foresees more than tangents alone, and " +
    "tangents of weights that correct momentum no less.",
  equation: [
    "ĝ = V c,  d = Vᵀ∇f;  mean: c = d/k,  projection: c = G⁻¹d,  G = VᵀV",
    "activations: per example b at the sites,  then XᵀĜ in each layer;  weights: over all parameters at once",
    "one GEMM unit = the products of one forward pass of the batch: 2 · batch · n operations for n weights of an MLP",
  ],
  method:
    "Quality: a network is trained by exact gradients; with the parameters after a twentieth, the half and the end of it, every estimator's " +
    "result is compared with the exact gradient of the same batch. Feedback and momentum have learned from the steps of that training before. All estimators get the same batches, and all aggregators of a " +
    "cell the same tangents. Work is counted in the graphs that are run, bytes and random numbers follow from the rules, and " +
    "milliseconds are those of whole estimates (tangents, derivatives, aggregation) measured in turns with exact gradients. " +
    "Accuracy: the same number of SGD steps with a smaller set of estimators, at the library's default learning rate times some " +
    "factors; the factor with the best validation accuracy counts, with its test accuracy.",
  settings: {
    dataset: z
      .enum(datasets.map(({ name }) => name) as [string, ...string[]])
      .check(z.describe("images to learn, by name")),
    models: some(z.enum(modelNames)).check(
      z.describe(
        "mlp (hidden layers of 256 and 256), mlp-small (one of 32), lenet5, vit (2 layers of width 32, patches of 7)",
      ),
    ),
    parts: some(z.enum(parts)).check(z.describe("what to measure: quality, accuracy")),
    estimators: some(z.enum(estimatorNames)).check(
      z.describe(
        "what is perturbed: activations (tangents of each example's own), feedback (the same, correcting what feedback foresees from " +
          "earlier steps), shared (activations, the same tangents for the batch), " +
          "blocks (their outputs), dense (weights), low-rank (weights, in thin factors), momentum (the same, signs of the first rank, " +
          "correcting a running mean of past estimates)",
      ),
    ),
    samplers: some(z.enum(cellSamplers)).check(
      z.describe(
        `${cellSamplers.join(", ")}; of low-rank factors gaussian and rademacher, orthonormal with activations and blocks up to k = 16`,
      ),
    ),
    ranks: some(count(1)).check(z.describe("ranks of low-rank tangents")),
    aggregators: some(z.enum(cellAggregators)).check(
      z.describe(`how derivatives are combined: ${cellAggregators.join(", ")}`),
    ),
    counts: some(count(1)).check(z.describe("k, numbers of tangents")),
    points: some(z.enum(points)).check(
      z.describe(
        "where in the exact gradient's training: start (after a twentieth of the steps), middle, end",
      ),
    ),
    exactSteps: count(1).check(z.describe("steps of that training")),
    draws: count(1).check(
      z.describe(
        "draws of a batch, with two of the tangents each, at each point; four times as many with up to 4 tangents",
      ),
    ),
    trainedModels: some(z.enum(modelNames)).check(z.describe("networks that are trained")),
    trainedSamplers: some(z.enum(cellSamplers)).check(z.describe("samplers that are trained with")),
    trainedRanks: some(count(1)).check(z.describe("ranks that are trained with")),
    trainedAggregators: some(z.enum(cellAggregators)).check(z.describe("aggregators that are trained with")),
    trainedCounts: some(count(1)).check(z.describe("numbers of tangents that are trained with")),
    steps: count(1).check(z.describe("steps of a training run")),
    factors: some(z.number().check(z.gt(0))).check(z.describe("of the default learning rate")),
    seeds: count(1).check(z.describe("training runs of each cell and factor, with the seeds from 0")),
    batch: count(2).check(z.describe("examples in a batch")),
  },
  full: {
    dataset: "mnist",
    models: ["mlp", "lenet5", "vit"],
    parts: ["quality", "accuracy"],
    estimators: [...estimatorNames],
    samplers: ["gaussian", "rademacher", "sphere", "orthonormal"],
    ranks: [1, 4, 16],
    aggregators: ["mean", "projection"],
    counts: [1, 4, 16, 64],
    points: [...points],
    exactSteps: 860,
    draws: 6,
    trainedModels: ["mlp", "lenet5"],
    trainedSamplers: ["gaussian", "rademacher"],
    trainedRanks: [1],
    trainedAggregators: ["mean", "projection"],
    trainedCounts: [16],
    steps: 200,
    factors: [0.5, 1, 2],
    seeds: 2,
    batch: 64,
  },
  quick: {
    dataset: "glyphs",
    models: ["mlp"],
    parts: ["quality", "accuracy"],
    estimators: [...estimatorNames],
    samplers: ["gaussian", "rademacher"],
    ranks: [1, 4],
    aggregators: ["mean", "projection"],
    counts: [1, 4, 16],
    points: ["start", "end"],
    exactSteps: 300,
    draws: 4,
    trainedModels: ["mlp"],
    trainedSamplers: ["rademacher"],
    trainedRanks: [1],
    trainedAggregators: ["mean", "projection"],
    trainedCounts: [16],
    steps: 100,
    factors: [0.5, 1, 2],
    seeds: 1,
    batch: 64,
  },
  quickLeavesOut:
    "Left out: MNIST (drawn digits instead), all models but the mlp, 64 tangents, the middle of the training, and runs of training with Gaussian tangents, " +
    "so that it is not decided whether signs train as well, and may not be whether projection does, or momentum.",
  tiny: {
    dataset: "glyphs",
    models: ["mlp-small"],
    parts: ["quality", "accuracy"],
    estimators: [...estimatorNames],
    samplers: ["gaussian", "orthonormal"],
    ranks: [1],
    aggregators: ["mean", "projection"],
    counts: [4],
    points: ["start", "end"],
    exactSteps: 10,
    draws: 2,
    trainedModels: ["mlp-small"],
    trainedSamplers: ["gaussian"],
    trainedRanks: [1],
    trainedAggregators: ["projection"],
    trainedCounts: [4],
    steps: 12,
    factors: [0.3, 1],
    seeds: 1,
    batch: 16,
  },
  columns: frontierColumns,
  summaryColumns: frontierSummaryColumns,

  plan: (settings) => settings.parts.flatMap((part) => planners[part](settings)),
  summarize: (rows) => summarizeFrontier(rows),
  charts: frontierCharts,
  tables: frontierTables,
  verdicts: frontierVerdicts,

  notes: ({ parts: measured }) => [
    "The exact gradient is the reference, not a rival: its cosine is 1, and where a backward pass can be run it is cheaper than good forward estimates.",
    "GEMM units leave out elementwise work and random numbers; tangents of rank 1 are multiplied out elementwise, so that their products are not among them.",
    "A random number of the Rademacher sampler is a sign, drawn about eight times as fast as a normal one.",
    "Milliseconds depend on the machine and on what else runs on it; other work at the same time can reorder what lies close together.",
    ...(measured.includes("accuracy")
      ? [
          "Accuracies after so few steps rank estimators by how fast they learn at first, not by where a long training ends. An exact gradient trains with the same factors.",
        ]
      : []),
  ],
};

const planners = {
  quality: (settings: FrontierSettings): readonly Unit[] =>
    settings.models.flatMap((model) =>
      cellsOf(model, settings).map((cell) => ({
        key: `quality/${cellKey(cell)}`,
        cost: settings.points.length * drawsOf(cell, settings.draws) * costOf(cell),
        measure: (environment) => measureCellQuality(environment, cell, settings),
      })),
    ),
  accuracy: (settings: FrontierSettings): readonly Unit[] =>
    trainedCells(settings).map((trained) => {
      const { cell, aggregator, factor, seed } = trained;
      const combined = aggregator === undefined ? "" : `/aggregator=${aggregator}`;
      return {
        key: `accuracy/${cellKey(cell)}${combined}/factor=${factor}/seed=${seed}`,
        cost: settings.steps * costOf(cell),
        measure: (environment) => measureAccuracy(environment, trained, settings),
      };
    }),
} as const;

function trainedCells(settings: FrontierSettings): readonly TrainedCell[] {
  const { estimators, trainedSamplers, trainedRanks, trainedAggregators, trainedCounts } = settings;
  const grid = { estimators, samplers: trainedSamplers, ranks: trainedRanks, counts: trainedCounts };
  const seeds = Array.from({ length: settings.seeds }, (_, seed) => seed);
  return settings.trainedModels.flatMap((model) =>
    cellsOf(model, grid).flatMap((cell) =>
      aggregatorsOf(cell, trainedAggregators).flatMap((aggregator) =>
        settings.factors.flatMap((factor) => seeds.map((seed) => ({ cell, aggregator, factor, seed }))),
      ),
    ),
  );
}

/** Time of an estimate next to others, roughly. */
function costOf({ model, estimator, k }: Cell): number {
  return weight[model] * (estimator === "dense" ? 5 + 3 * k : 5 + k);
}
