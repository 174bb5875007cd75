/** What an estimator is: how it is chosen, planned, opened and asked, and what it may remember. */
import { gradientName, statisticsName } from "../ad/names.ts";
import type { Words } from "../errors/words.ts";
import type { Differentiable } from "../objective/objective.ts";
import { zeros } from "../onnx/tensor.ts";
import type { Key } from "../random/threefry.ts";
import type { Tensors } from "../runtime/runtime.ts";
import type { Identity } from "../settings/named.ts";
import type { EstimatorOptions } from "./passes.ts";
import type { GradientProducts } from "./product.ts";
import type { EstimatorState, HeldEstimate } from "./state.ts";

/** What one estimate of the gradient gives. */
export interface Estimate {
  /** f = mean ℓ_b over the batch. */
  readonly loss: number;
  /**
   * Directional derivatives: d of f for each tangent, [k]; or of each example's own ℓ_b, [k, batch], for activations.
   */
  readonly derivatives: Float64Array;
  /** The forward gradient ĝ by parameter; the arrays are written anew by the next estimate. */
  readonly gradients: Readonly<Record<string, Float32Array>>;
  /** Running statistics after this batch, by name; the arrays are written anew by the next estimate. */
  readonly statistics: Readonly<Record<string, Float32Array>>;
  /**
   * ‖∇f − m‖² / ‖∇f‖² as the steps before measured it, where a guess m is corrected: 1 where nothing is foreseen, 0 where all
   * is. Default: nothing is guessed.
   */
  readonly unforeseen?: number;
}

/** Buffers for the gradients that a graph computes: tensors by output name, and their data by parameter. */
export function gradientBuffers({ parameters }: Pick<Differentiable, "parameters">): {
  readonly tensors: Tensors;
  readonly gradients: Arrays;
} {
  const { tensors, arrays } = outputBuffers(parameters, gradientName);
  return { tensors, gradients: arrays };
}

/** Buffers for the running statistics that a graph computes: tensors by output name, and their data by statistic. */
export function statisticsBuffers({ statistics = {} }: Differentiable): {
  readonly tensors: Tensors;
  readonly statistics: Arrays;
} {
  const { tensors, arrays } = outputBuffers(statistics, statisticsName);
  return { tensors, statistics: arrays };
}

/** Numbers by parameter. */
export type Arrays = Readonly<Record<string, Float32Array>>;

function outputBuffers(
  like: Differentiable["parameters"],
  outputOf: (name: string) => string,
): { readonly tensors: Tensors; readonly arrays: Arrays } {
  const buffers = Object.entries(like).map(([name, { shape }]) => [name, zeros("float32", shape)] as const);
  return {
    tensors: Object.fromEntries(buffers.map(([name, tensor]) => [outputOf(name), tensor])),
    arrays: Object.fromEntries(buffers.map(([name, { data }]) => [name, data as Float32Array])),
  };
}

/** A way to estimate the gradient of an objective. */
export interface Estimator {
  /** Its name in messages and in a run's configuration. */
  readonly name: string;
  /** Dimension of the space that tangents live in: n for weights, one example's summed site sizes for activations. */
  readonly dimension: number;
  /**
   * How many times ∇f an estimate is in expectation, as far as that is known: E ĝ = gain · ∇f. Bias² and variance are those of
   * ĝ divided by it. A number above 0; default 1.
   */
  readonly gain?: number;
  /**
   * Gradients that estimates leave as products, by parameter: they are no part of an estimate's `gradients`, and each estimate
   * writes their factors anew. Only where it was asked for (`factored`). Default: none.
   */
  readonly products?: GradientProducts;
  /**
   * What estimates leave where the runtime computes: gradients, which then are no part of an estimate's `gradients`, and what is
   * remembered. Only where it was asked for (`resident`). Default: nothing.
   */
  readonly held?: HeldEstimate;
  /** Who follows a run's steps, where others do what this estimator asks for. Default: nobody. */
  readonly follower?: StepFollower;
  /** State before the first step. Default: none, each estimate starts from nothing. */
  init?(): EstimatorState;
  /**
   * Estimates the gradient of one batch.
   *
   * @param feeds the batch and the parameters, by input name, each in the shape [...] that the objective's graph declares
   * @param key the step's key; the tangents are a pure function of it
   * @param state what the steps before left. It is written only after ĝ of this step was formed: an estimate that depends
   * on a state which has seen its own tangents is biased. Default: the state before the first step
   * @param before how many examples of the step other batches held, so that each example of a step has tangents of its own. Default 0
   * @throws when a derivative is not finite, or the engine fails
   */
  estimate(feeds: Tensors, key: Key, state?: EstimatorState, before?: number): Promise<Estimate>;
  /**
   * Estimates the gradient of a batch that comes in parts, where it weighs them by itself. Default: each part is estimated, and the
   * estimates are added up.
   *
   * @param feeds the parameters and what `parts` reads, by input name, each in the shape [...] that the objective's graph declares
   */
  estimateParts?(feeds: Tensors, key: Key, parts: BatchParts): Promise<Estimate>;
  /** Frees sessions and threads. */
  release(): Promise<void>;
}

/** The parts of a step's batch. */
export interface BatchParts {
  /** How many there are. */
  readonly count: number;
  /** Reads one, counted from 0. @returns how many of its losses count */
  read(part: number): Promise<number>;
}

/** Follows a run from step to step, so that others can do the same steps. */
export interface StepFollower {
  /** Hears, before its estimate, that a step begins, counted from 0: the one after the last, or one that the run went back to. */
  begin(step: number): Promise<void>;
  /** Hears that the parameters are about to move against the last estimate by this rate. They do not move where it throws. */
  commit(rate: number): Promise<void>;
}

/** An estimator that was chosen: what it is, as plain data, and what makes it for an objective. */
export interface EstimatorDefinition extends Identity {
  /** Whether it draws no tangents, because a guess alone is what each block learns from. Default: false. */
  readonly isLocal?: boolean;
  /** What bounds its default learning rate. Default: as for `activations`, or as the one that `perturb` chooses. */
  readonly noise?: NoiseBound;
  /** Finds out what follows from the objective. Nothing is differentiated yet. */
  plan(objective: Differentiable, options: EstimatorOptions): Promise<EstimatorPlan>;
}

/**
 * What bounds the default learning rate (`defaultLearningRate` has the formulas): nothing but the exact gradient's rate; the
 * curvature, from the largest rate and the share of the dimensions that counts as curved; or the walk that noise makes,
 * from the longest step and walk, relative to what one estimate of one example's gradient is.
 */
export type NoiseBound =
  | { readonly by: "nothing" }
  | { readonly by: "curvature"; readonly largest: number; readonly curved: number }
  | { readonly by: "walk"; readonly step: number; readonly length: number };

/** What an estimator is but for its name and options. */
export type EstimatorRule = Omit<EstimatorDefinition, keyof Identity>;

/** What is known of an estimator before derivative graphs are made. */
export interface EstimatorPlan {
  /** As the estimator's. */
  readonly dimension: number;
  /** The guess that tangents correct, so that E ĝ is ∇f itself, and of which it says what is not foreseen. Default: none. */
  readonly guess?: Identity;
  /** What is worth knowing of it before it runs, in sentences. Default: nothing. */
  readonly notes?: readonly Words[];
  /** Makes and compiles the derivative graphs. */
  open(): Promise<Estimator>;
}
