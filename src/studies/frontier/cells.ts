/** What the study of cost compares: models, and ways to estimate their gradients. */
import type { AggregatorName } from "../../aggregate/aggregators.ts";
import type { Dataset } from "../../data/dataset.ts";
import { activations, weights } from "../../estimate/estimators.ts";
import { feedback } from "../../guess/feedback.ts";
import { momentum } from "../../guess/momentum.ts";
import { crossEntropy } from "../../losses/cross-entropy.ts";
import { lenet5 } from "../../models/lenet5.ts";
import { mlp } from "../../models/mlp.ts";
import type { ModelOptions } from "../../models/network.ts";
import { vit } from "../../models/vit.ts";
import { compileObjective } from "../../objective/compile-objective.ts";
import type { Objective } from "../../objective/objective.ts";
import type { Graph } from "../../onnx/graph.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import { lowRank } from "../../tangents/low-rank.ts";
import { samplers } from "../../tangents/samplers.ts";
import type { EstimatorSettings } from "../../train/settings/estimator.ts";

export type FrontierSettings = {
  dataset: string;
  models: ModelName[];
  parts: Part[];
  estimators: EstimatorName[];
  samplers: CellSampler[];
  ranks: number[];
  aggregators: CellAggregator[];
  counts: number[];
  points: Point[];
  exactSteps: number;
  draws: number;
  trainedModels: ModelName[];
  trainedSamplers: CellSampler[];
  trainedRanks: number[];
  trainedAggregators: CellAggregator[];
  trainedCounts: number[];
  steps: number;
  factors: number[];
  seeds: number;
  batch: number;
};

/** The networks, by name, for 28×28 images and any others that they take. */
export const models = {
  mlp: (options: ModelOptions) => mlp({ ...options, hidden: [256, 256] }),
  "mlp-small": (options: ModelOptions) => mlp({ ...options, hidden: [32] }),
  lenet5: (options: ModelOptions) => lenet5(options),
  vit: (options: ModelOptions) => vit({ ...options, patch: 7, layers: 2, width: 32 }),
} as const;

export type ModelName = keyof typeof models;
export const modelNames = Object.keys(models) as [ModelName, ...ModelName[]];

export const parts = ["quality", "accuracy"] as const;
export type Part = (typeof parts)[number];

/** Where along the exact gradient's training the estimates are measured. */
export const points = ["start", "middle", "end"] as const;
export type Point = (typeof points)[number];

/**
 * Forward estimators, by what is perturbed: activations with tangents of each example's own, alone or correcting feedback, or shared
 * by the batch; the outputs of named blocks; weights with dense tangents, or in thin factors, alone or correcting momentum.
 */
export const estimatorNames = [
  "activations",
  "feedback",
  "shared",
  "blocks",
  "dense",
  "low-rank",
  "momentum",
] as const;
export type EstimatorName = (typeof estimatorNames)[number];

export const cellSamplers = ["gaussian", "rademacher", "sphere", "orthonormal"] as const;
export type CellSampler = (typeof cellSamplers)[number];

export const cellAggregators = ["mean", "projection", "near-best", "max"] as const satisfies AggregatorName[];
export type CellAggregator = (typeof cellAggregators)[number];

/** One way to estimate the gradient, but for how derivatives are combined. */
export interface Cell {
  readonly model: ModelName;
  readonly estimator: EstimatorName | "exact";
  /** Low-rank weights: of the factors' numbers. Absent for the exact gradient. */
  readonly sampler?: CellSampler;
  /** Low-rank weights, with momentum or without. */
  readonly rank?: number;
  /** k; 0 for the exact gradient. */
  readonly k: number;
}

/** Gram-Schmidt on the calling thread takes O(k²n) for each set. */
const mostOrthonormal = 16;

/** What a grid of cells is made of. */
interface Grid {
  readonly estimators: readonly EstimatorName[];
  readonly samplers: readonly CellSampler[];
  readonly ranks: readonly number[];
  readonly counts: readonly number[];
}

/**
 * The cells of a model: the exact gradient, then every combination that makes sense. Low-rank factors are independent
 * numbers, so Gaussian or Rademacher; orthonormal tangents are for activations and blocks with few tangents. Momentum is corrected
 * with signs of the first rank alone.
 */
export function cellsOf(model: ModelName, { estimators, samplers, ranks, counts }: Grid): readonly Cell[] {
  return [
    { model, estimator: "exact", k: 0 },
    ...estimators.flatMap((estimator) =>
      samplers
        .filter((sampler) => fits(estimator, sampler))
        .flatMap((sampler) =>
          ranksOf(estimator, ranks).flatMap((rank) =>
            counts
              .filter((k) => sampler !== "orthonormal" || k <= mostOrthonormal)
              .map((k): Cell => ({ model, estimator, sampler, ...(rank === undefined ? {} : { rank }), k })),
          ),
        ),
    ),
  ];
}

function ranksOf(estimator: EstimatorName, ranks: readonly number[]): readonly (number | undefined)[] {
  if (estimator === "momentum") return ranks.slice(0, 1);
  return estimator === "low-rank" ? ranks : [undefined];
}

function fits(estimator: EstimatorName, sampler: CellSampler): boolean {
  if (estimator === "momentum") return sampler === "rademacher";
  if (estimator === "low-rank") return sampler === "gaussian" || sampler === "rademacher";
  return estimator !== "dense" || sampler !== "orthonormal";
}

/**
 * How a cell's derivatives are combined. The projection on tangents is the same for any basis of their span, so
 * orthonormal ones, where the mean is a projection, have no other.
 */
export function aggregatorsOf(
  { estimator, sampler }: Cell,
  given: readonly CellAggregator[],
): readonly (CellAggregator | undefined)[] {
  if (estimator === "exact") return [undefined];
  return sampler === "orthonormal" ? ["mean"] : given;
}

/** "estimator=low-rank/sampler=gaussian/rank=4/k=16" */
export function cellKey({ model, estimator, sampler, rank, k }: Cell): string {
  const names = { model, estimator, sampler, rank, k: k || undefined };
  return Object.entries(names)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${value}`)
    .join("/");
}

/** What the library is asked for. */
export function settingsOf(
  { estimator, sampler = "gaussian", rank = 1, k }: Cell,
  aggregate?: CellAggregator,
): EstimatorSettings {
  switch (estimator) {
    case "exact":
      return { gradient: "exact" };
    case "activations":
      return { perturb: activations({ guess: "none" }), tangents: k, sampler, aggregate };
    case "feedback":
      return { perturb: activations({ guess: feedback() }), tangents: k, sampler, aggregate };
    case "shared":
      return {
        perturb: activations({ shareTangents: true, guess: "none" }),
        tangents: k,
        sampler,
        aggregate,
      };
    case "blocks":
      return { perturb: { name: "blocks", guess: "none" }, tangents: k, sampler, aggregate };
    case "dense":
      return { perturb: "weights", tangents: k, sampler, aggregate };
    case "low-rank":
    case "momentum":
      return {
        perturb: weights({ guess: estimator === "momentum" ? momentum() : "none" }),
        tangents: k,
        sampler: lowRank({ rank, factors: samplers[sampler]() }),
        aggregate,
      };
  }
}

/** A model for a dataset. */
export function buildModel(name: ModelName, { train, classes, normalization }: Dataset, seed: number): Graph {
  return models[name]({ input: train.shape, outputs: classes, normalization, seed });
}

/** A model with its loss, initialized from seed 0. */
export function objectiveOf(
  name: ModelName,
  dataset: Dataset,
  batch: number,
  runtime: Runtime,
): Promise<Objective> {
  return compileObjective({ model: buildModel(name, dataset, 0), loss: crossEntropy(), runtime, batch });
}

/** Draws at a point: with few tangents the cosine varies more, and costs less. */
export function drawsOf({ estimator, k }: Cell, draws: number): number {
  return estimator === "exact" || k > 4 ? draws : 4 * draws;
}
