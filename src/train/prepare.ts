import type { AggregatorName } from "../aggregate/aggregators.ts";
import { aggregators } from "../aggregate/aggregators.ts";
import { type Augmentation, checkAugmentation, formatAugmentation } from "../data/augment.ts";
import { checkExamples, type Examples } from "../data/dataset.ts";
import type { Loss } from "../losses/loss.ts";
import { getValue } from "../onnx/graph.ts";
import { elementCount } from "../onnx/tensor.ts";
import type { Optimizer } from "../optim/optimizer.ts";
import { type OptimizerName, optimizers } from "../optim/optimizers.ts";
import type { ScheduleName } from "../optim/schedules.ts";
import type { Sampler } from "../tangents/sampler.ts";
import { type SamplerName, samplers } from "../tangents/samplers.ts";
import { activationsEstimator } from "./activations.ts";
import type { Estimator } from "./estimator.ts";
import { exactGradient } from "./exact.ts";
import { defaultLearningRate } from "./learning-rate.ts";
import type { Differentiable, Objective } from "./objective.ts";
import type { RunConfig } from "./run-config.ts";
import { weightsEstimator } from "./weights.ts";

/** How the gradient is estimated. */
export interface EstimatorSettings {
  /** forward: from directional derivatives; exact: by reverse mode, the baseline. Default forward. */
  readonly gradient?: "forward" | "exact";
  /** Where tangents are injected. Default activations. */
  readonly perturb?: "activations" | "weights";
  /** k. Default 16. */
  readonly tangents?: number;
  /** Tangents processed at once. Default: all. */
  readonly tangentChunk?: number;
  /** Default gaussian. */
  readonly sampler?: SamplerName | Sampler;
  /** Rank of low-rank tangents. Default 1. */
  readonly rank?: number;
  /** Default projection. */
  readonly aggregate?: AggregatorName;
  /** One set of tangents for all examples of a batch; activations only. Default false. */
  readonly shareTangents?: boolean;
}

/** Everything that decides what a run computes. */
export interface TrainSettings extends EstimatorSettings {
  /** Default cross-entropy. */
  readonly loss?: Loss;
  /** The output that the loss reads. Default: the model's first float output. */
  readonly output?: string;
  readonly trainable?: (name: string) => boolean;
  /** Default: derived from the estimator, see `defaultLearningRate`. */
  readonly learningRate?: number;
  /** How the learning rate changes over the run. Default cosine. */
  readonly schedule?: ScheduleName;
  readonly optimizer?: OptimizerName;
  /** Default 0. */
  readonly momentum?: number;
  /** Default 64. */
  readonly batch?: number;
  /** Default 1. */
  readonly epochs?: number;
  /** Ends the run after so many steps, whatever `epochs` says. */
  readonly steps?: number;
  /** Default 0. */
  readonly seed?: number;
  /** Examples split off for validation. Default 5,000, at most a tenth. */
  readonly validation?: number;
  /** Random changes of the training images; validation and test examples stay as they are. Default: none. */
  readonly augment?: Augmentation;
  /** The run stops when a loss exceeds this many times the first one. Default 100. */
  readonly divergenceFactor?: number;
}

/** Compiles the estimator that the settings describe. */
export async function createEstimator(
  objective: Differentiable,
  settings: EstimatorSettings,
): Promise<Estimator> {
  if (settings.gradient === "exact") return exactGradient(objective);
  const {
    tangents = 16,
    sampler = "gaussian",
    aggregate = "projection",
    rank,
    tangentChunk,
    shareTangents,
  } = settings;
  if (!Number.isInteger(tangents) || tangents < 1) {
    throw new Error(`tangents must be a whole number from 1, received ${tangents}.`);
  }
  const options = {
    tangents,
    tangentChunk,
    aggregator: aggregators[aggregate],
    sampler: typeof sampler === "string" ? samplers[sampler](rank === undefined ? {} : { rank }) : sampler,
  };
  return settings.perturb === "weights"
    ? weightsEstimator(objective, options)
    : activationsEstimator(objective, { ...options, shareTangents });
}

/** The optimizer that the settings describe. */
export function createOptimizer(settings: TrainSettings): Optimizer {
  const { optimizer = "sgd", momentum = 0 } = settings;
  return optimizers[optimizer]({ momentum });
}

/** The learning rate of the settings, or the default for this estimator. */
export function learningRateOf(settings: TrainSettings, estimator: Estimator): number {
  if (settings.learningRate !== undefined) {
    if (settings.learningRate > 0 && Number.isFinite(settings.learningRate)) return settings.learningRate;
    throw new Error(`The learning rate must be a positive number, received ${settings.learningRate}.`);
  }
  const { gradient, perturb, tangents, aggregate, momentum, sampler } = settings;
  return defaultLearningRate({
    perturb: gradient === "exact" ? "exact" : (perturb ?? "activations"),
    dimension: estimator.dimension,
    tangents: tangents ?? 16,
    aggregate: aggregate ?? "projection",
    momentum: momentum ?? 0,
    radius: typeof sampler === "object" ? sampler.radius?.(estimator.dimension) : undefined,
  });
}

/** @throws when a number is outside its range, or an augmentation does not fit the examples. */
export function checkSettings(settings: TrainSettings, examples: Examples): void {
  checkAugmentation(settings.augment ?? {}, examples.shape);
  const whole = {
    batch: 1,
    steps: 0,
    seed: 0,
    validation: 0,
    tangents: 1,
    tangentChunk: 1,
    rank: 1,
  } as const;
  for (const [name, least] of Object.entries(whole) as [keyof typeof whole, number][]) {
    const value = settings[name];
    if (value !== undefined && !(Number.isSafeInteger(value) && value >= least)) {
      throw new Error(`${name} must be a whole number from ${least}, received ${value}.`);
    }
  }
  if (settings.epochs !== undefined && !(settings.epochs > 0)) {
    throw new Error(`epochs must be a positive number, received ${settings.epochs}.`);
  }
}

/** The settings that decide what a run computes, as plain data for config.json. */
export function describeSettings(
  settings: TrainSettings,
  objective: Objective,
  learningRate: number,
  totalSteps: number,
): RunConfig {
  const { sampler = "gaussian", tangents = 16 } = settings;
  const augment = formatAugmentation(settings.augment ?? {});
  return {
    parameters: Object.keys(objective.parameters).join(" "),
    loss: settings.loss?.name ?? "cross-entropy",
    gradient: settings.gradient ?? "forward",
    perturb: settings.perturb ?? "activations",
    sampler: typeof sampler === "string" ? sampler : sampler.name,
    rank: settings.rank ?? 1,
    tangents,
    tangentChunk: settings.tangentChunk ?? tangents,
    aggregate: settings.aggregate ?? "projection",
    shareTangents: settings.shareTangents ?? false,
    schedule: settings.schedule ?? "cosine",
    optimizer: settings.optimizer ?? "sgd",
    momentum: settings.momentum ?? 0,
    learningRate,
    batch: objective.batch,
    steps: totalSteps,
    validation: settings.validation ?? null,
    seed: settings.seed ?? 0,
    ...(augment && { augment }),
  };
}

/** @throws when the examples' labels do not fit the loss and the model's output. */
export function checkTargets(objective: Objective, examples: Examples, name: string): void {
  const target = getValue(objective.graph, objective.target);
  const isClasses = examples.labels instanceof Int32Array;
  if (isClasses !== (target.dtype === "int64")) {
    throw new Error(
      `The loss reads ${target.dtype} targets of shape [${target.shape.join(", ")}], and the data has ` +
        `${isClasses ? "class numbers (Int32Array)" : "float targets (Float32Array)"}; choose the loss that fits the data ` +
        "(--loss): cross-entropy for class numbers, mean-squared-error or binary-cross-entropy for float targets.",
    );
  }
  const perExample = elementCount(target.shape) / objective.batch;
  if (examples.labels.length !== perExample * examples.count) {
    throw new Error(
      `The loss reads ${perExample} target values for each example, and the data has ` +
        `${examples.labels.length / examples.count}; the targets must have the shape of the output '${objective.output}'.`,
    );
  }
  const classes = isClasses ? (getValue(objective.graph, objective.output).shape.at(-1) as number) : 0;
  checkExamples(examples, name, classes);
}
