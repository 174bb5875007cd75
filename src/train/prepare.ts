import type { AggregatorOptions } from "../aggregate/aggregator.ts";
import type { AggregatorName } from "../aggregate/aggregators.ts";
import { aggregators } from "../aggregate/aggregators.ts";
import type { Examples } from "../data/dataset.ts";
import { type Augmentation, checkAugmentation } from "../data/pictures/augment.ts";
import type { Estimator, EstimatorDefinition, EstimatorPlan } from "../estimate/estimator.ts";
import { estimators } from "../estimate/estimators.ts";
import type { Loss } from "../losses/loss.ts";
import type { AdapterOptions } from "../objective/adapter.ts";
import type { Differentiable } from "../objective/objective.ts";
import type { Optimizer, OptimizerOptions } from "../optim/optimizer.ts";
import { type OptimizerName, optimizers } from "../optim/optimizers.ts";
import {
  type Schedule,
  type ScheduleName,
  type ScheduleOptions,
  schedules,
  withWarmUp,
} from "../optim/schedules.ts";
import type { Sampler } from "../tangents/sampler.ts";
import { type SamplerName, samplers } from "../tangents/samplers.ts";
import { defaultLearningRate } from "./learning-rate.ts";
import { refuseStrayOptions } from "./stray-options.ts";

/** How the gradient is estimated. */
export interface EstimatorSettings extends AggregatorOptions {
  /**
   * forward: from directional derivatives by dual passes; simulated: the same, but from derivatives that the exact gradient
   * gives, which is cheaper for many tangents; exact: by reverse mode, the baseline; or an estimator of your own, to which
   * `perturb` says nothing but what the default learning rate is for. Default forward.
   */
  readonly gradient?: "forward" | "simulated" | "exact" | EstimatorDefinition;
  /** Where tangents are injected. Default activations. */
  readonly perturb?: "activations" | "weights" | "blocks";
  /** Finds the block in a node's name: its first group, or the whole match. Default: the name's first segment. */
  readonly blocks?: RegExp;
  /** k. Default 16. */
  readonly tangents?: number;
  /** Tangents processed at once. Default: all. */
  readonly tangentChunk?: number;
  /** Default: rademacher, or gaussian where k is more than an eighth of the dimension (`defaultSampler`). */
  readonly sampler?: SamplerName | Sampler;
  /** Rank of low-rank tangents. Default 1. */
  readonly rank?: number;
  /** Degrees between the first of the fixed-angle tangents and the others, above 0 and at most 90. Default 45. */
  readonly angle?: number;
  /** Default projection. */
  readonly aggregate?: AggregatorName;
  /** One set of tangents for all examples of a batch; activations only. Default false. */
  readonly shareTangents?: boolean;
  /** Runs layer by layer and draws tangents again instead of keeping them: memory does not grow with depth. */
  readonly lowMemory?: boolean;
}

/** Everything that decides what a run computes. */
export interface TrainSettings extends EstimatorSettings, OptimizerOptions, ScheduleOptions {
  /** Default cross-entropy. */
  readonly loss?: Loss;
  /** The model's input that examples feed. Default: the only one, or the first float one that is not filled. */
  readonly input?: string;
  /** Numbers that fill the model's other inputs, by name. */
  readonly fill?: Readonly<Record<string, number>>;
  /** Sizes of open dimensions that do not follow from the data, by name or as "input.axis". */
  readonly dimensions?: Readonly<Record<string, number>>;
  /** The output that the loss reads. Default: the model's first float output. */
  readonly output?: string;
  /**
   * Which float32 initializers are trained, by name. Default: all on a differentiable path to the output, constants
   * excepted.
   */
  readonly trainable?: (name: string) => boolean;
  /** Takes stored tensors out of what is trained. Default: none. */
  readonly frozen?: (name: string) => boolean;
  /**
   * Trains the numbers of the model itself instead of copies, which saves their memory; with adapters, copies are trained
   * all the same. Default: only where `model` is bytes.
   */
  readonly inPlace?: boolean;
  /** Trains low-rank adapters of stored matrices alone, saved merged into the matrices (default) or apart. */
  readonly adapter?: AdapterOptions & { readonly saved?: "merged" | "apart" };
  /** What BatchNormalization normalizes with: its stored statistics (default), or those of each batch. */
  readonly batchNorm?: "frozen" | "batch";
  /**
   * Default: derived from the estimator, see `defaultLearningRate`. auto: that, or less where the curvature along the steps
   * asks for less, see `afterMeasurement`.
   */
  readonly learningRate?: number | "auto";
  /** How the learning rate changes over the run. Default cosine. */
  readonly schedule?: ScheduleName;
  /** Validation losses without improvement before the plateau schedule decays. Default 2. */
  readonly plateauPatience?: number;
  /** Steps over which the learning rate grows from near 0 at the start. Default 0. */
  readonly warmUp?: number;
  /** Default sgd. */
  readonly optimizer?: OptimizerName;
  /** Longest gradient over all parameters; longer ones are shortened to it. Default: none is. */
  readonly clip?: number;
  /**
   * Ends the run after so many validation losses without improvement, and keeps the parameters of the best one. Default:
   * the run goes to its end and keeps the last.
   */
  readonly patience?: number;
  /**
   * Compares the gradient with the exact one on every N-th step, for the metrics and the progress. The run computes
   * the same with and without. Default: never.
   */
  readonly trackQuality?: number;
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
  return (await planEstimator(objective, settings)).open();
}

/** What is known of the estimator that the settings describe, before anything is differentiated. */
export function planEstimator(
  objective: Differentiable,
  settings: EstimatorSettings,
): Promise<EstimatorPlan> {
  const { tangents = 16, sampler, aggregate = "projection", rank, angle, tangentChunk } = settings;
  const { gradient, lowMemory = false } = settings;
  const definition = estimatorOf(settings);
  if (gradient !== "exact")
    refuseStrayOptions({ sampler: samplerName(settings), aggregate }, { ...settings });
  if (!Number.isInteger(tangents) || tangents < 1) {
    throw new Error(`tangents must be a whole number from 1, received ${tangents}.`);
  }
  if (lowMemory && gradient === "simulated") {
    throw new Error(
      "gradient: simulated keeps what a reverse pass needs, so lowMemory has no effect on it; leave out one of them.",
    );
  }
  return definition.plan(objective, {
    tangents,
    tangentChunk,
    lowMemory,
    simulated: gradient === "simulated",
    aggregator: aggregators[aggregate](settings),
    sampler: typeof sampler === "string" ? samplers[sampler]({ rank, angle }) : sampler,
  });
}

/** The estimator that the settings choose. */
export function estimatorOf(settings: EstimatorSettings): EstimatorDefinition {
  const { gradient, perturb = "activations", blocks: pattern, shareTangents } = settings;
  if (typeof gradient === "object") return gradient;
  return estimators[gradient === "exact" ? "exact" : perturb]({ pattern, shareTangents });
}

/** The sampler's name; "default" where it follows from k and the dimension. */
export function samplerName({ sampler }: Pick<EstimatorSettings, "sampler">): string {
  return (typeof sampler === "object" ? sampler.name : sampler) ?? "default";
}

/** The optimizer that the settings describe. */
export function createOptimizer(settings: TrainSettings): Optimizer {
  const { optimizer = "sgd", momentum, nesterov, weightDecay, beta1, beta2, epsilon } = settings;
  return optimizers[optimizer]({ momentum, nesterov, weightDecay, beta1, beta2, epsilon });
}

/** The schedule that the settings describe; the plateau schedule's own factor comes on top. */
export function createSchedule(settings: TrainSettings): Schedule {
  const { schedule = "cosine", decay, decayEvery, warmUp = 0 } = settings;
  return withWarmUp(schedules[schedule]({ decay, decayEvery }), warmUp);
}

/** The learning rate of the settings; the default for this estimator where none is given, or auto to start from. */
export function learningRateOf(
  settings: TrainSettings,
  estimator: Pick<Estimator, "dimension">,
  run: { readonly batch: number; readonly steps: number },
): number {
  if (settings.learningRate !== undefined && settings.learningRate !== "auto") {
    if (settings.learningRate > 0 && Number.isFinite(settings.learningRate)) return settings.learningRate;
    throw new Error(`The learning rate must be a positive number, received ${settings.learningRate}.`);
  }
  const { gradient, perturb, tangents, aggregate, momentum, sampler } = settings;
  const { optimizer, expectedLength, angle, shareTangents } = settings;
  return defaultLearningRate({
    perturb: gradient === "exact" ? "exact" : (perturb ?? "activations"),
    dimension: estimator.dimension,
    ...run,
    shareTangents,
    tangents: tangents ?? 16,
    aggregate: aggregate ?? "projection",
    expectedLength,
    momentum: momentum ?? 0,
    optimizer,
    angle: sampler === "fixed-angle" ? (angle ?? 45) : undefined,
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
    warmUp: 0,
    plateauPatience: 0,
    patience: 1,
    trackQuality: 1,
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
  if (settings.clip !== undefined && !(settings.clip > 0)) {
    throw new Error(`clip must be a positive number, received ${settings.clip}.`);
  }
  refuseStrayOptions({ schedule: settings.schedule ?? "cosine" }, { ...settings });
  if (settings.learningRate === "auto" && settings.lowMemory) {
    throw new Error(
      "The automatic learning rate measures a curvature with the values of all layers at once, which lowMemory is to " +
        "avoid; leave lowMemory out, or give a learning rate (learningRate).",
    );
  }
  if (settings.trackQuality !== undefined && settings.gradient === "exact") {
    throw new Error(
      "trackQuality compares the gradient with the exact one, and gradient exact is chosen; leave one of them out.",
    );
  }
}

/** @throws when a setting follows the validation loss and there are no validation examples. */
export function requireValidation(settings: TrainSettings, examples: number): void {
  const follower =
    settings.patience !== undefined ? "patience" : settings.schedule === "plateau" ? "schedule plateau" : "";
  if (follower === "" || examples > 0) return;
  throw new Error(
    `${follower} follows the validation loss, and no examples are set aside for validation; set validation above 0, ` +
      "or give more data.",
  );
}
