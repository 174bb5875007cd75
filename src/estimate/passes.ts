/** The passes that the method is made of, and what is chosen once for all kinds of tangents. */
import type { Aggregator } from "../aggregate/aggregator.ts";
import { SettingError } from "../errors/errors.ts";
import { option, words } from "../errors/words.ts";
import type { Tensor } from "../onnx/tensor.ts";
import type { Key } from "../random/threefry.ts";
import type { Tensors } from "../runtime/runtime.ts";
import type { Sampler } from "../tangents/sampler.ts";
import { defaultSampler } from "../tangents/samplers.ts";
import type { GradientProducts } from "./product.ts";
import type { EstimatorState, HeldEstimate } from "./state.ts";

/** Numbers of each tangent that are drawn at once for the Gram matrix and the combination, where tangents are not kept. */
export const sliceSize = 2 ** 16;

/** What every forward gradient is asked for. */
export interface EstimatorOptions {
  /** k */
  readonly tangents: number;
  /** Default: that of `defaultSampler`. */
  readonly sampler?: Sampler;
  /** How derivatives become coefficients. */
  readonly aggregator: Aggregator;
  /** Runs layer by layer and draws tangents again instead of keeping them: memory does not grow with depth. Default false. */
  readonly lowMemory?: boolean;
  /** Tangents processed at once; default: all that are kept, one that is drawn again. */
  readonly tangentChunk?: number;
  /** Bytes of the values that one piece of a low-memory run computes. Default 32 MiB. */
  readonly pieceBytes?: number;
  /**
   * True: d comes from the exact gradient instead of dual passes; "law": the estimate is drawn by its distribution, given the exact
   * gradient, and no tangents are drawn. Default false.
   */
  readonly simulated?: boolean | "law";
  /** True: steps hand on what the estimator remembers, so that a guess which is left open may be one that learns. Default false. */
  readonly remembers?: boolean;
  /** Whether gradients of large matrices may be left as products of thin factors (`Estimator.products`). Default false. */
  readonly factored?: boolean;
  /** Whether gradients, and what is remembered, may stay where the runtime computes (`Estimator.held`). Default false. */
  readonly resident?: boolean;
}

/** What is decided once the dimension of the tangents' space is known, the same for all passes. */
export interface Method {
  /** k */
  readonly tangents: number;
  /** n, the dimension of the space that tangents live in: of one example's sites, or of all parameters. */
  readonly dimension: number;
  /** Where tangents come from. */
  readonly sampler: Sampler;
  /** How derivatives become coefficients. */
  readonly aggregator: Aggregator;
  /** Whether Gram matrices are computed in float64. */
  readonly exactGram: boolean;
  /**
   * How many times ∇f an estimate is, about, in expectation. What is known exactly is multiplied by it, so that one
   * learning rate suits all parameters.
   */
  readonly gain: number;
}

export function methodIn(dimension: number, options: EstimatorOptions): Method {
  const { tangents, aggregator } = options;
  const sampler = options.sampler ?? defaultSampler(tangents, dimension);
  // Float32 Gram matrices are trusted while tangents are independent and few for their dimension.
  const exactGram = tangents > dimension / 8 || sampler.exactGram === true;
  // Aggregators that read G divide by the tangents' lengths.
  const square = aggregator.usesGram || !sampler.radius ? dimension : sampler.radius(dimension) ** 2;
  const gain = (aggregator.expectedGain(dimension, tangents) * square) / dimension;
  return { tangents, dimension, sampler, aggregator, exactGram, gain };
}

/**
 * The passes that a forward gradient is made of, for tangents of the parameters or of the values at sites, each kept in
 * memory or drawn again where it is needed. Weights are the case of one example. What combines them does not ask where
 * derivatives come from: others may have computed some of them.
 */
export interface Passes {
  /** "weights", "activations" or "blocks". */
  readonly name: string;
  /** What was decided for them. */
  readonly method: Method;
  /** Examples with derivatives and coefficients of their own: the batch, or 1 for weights. */
  readonly examples: number;
  /**
   * Chooses tangents first … first + count − 1 of a step; they are a pure function of its key.
   *
   * @param before where examples have tangents of their own: how many of the step's examples other batches hold. Default 0
   */
  draw(key: Key, first: number, count: number, before?: number): void;
  /**
   * The dual passes: d of tangents first … first + count − 1, which were drawn.
   *
   * @param derivatives written, [count, examples]
   */
  derivatives(feeds: Tensors, first: number, count: number, derivatives: Float64Array): Promise<Primal>;
  /**
   * G of all k tangents, which were drawn, by example, [k, k] each. For weights it does not depend on the feeds; at sites,
   * a ReLU gives each example zeros of its own.
   */
  gram(feeds: Tensors): Promise<(example: number) => ExampleTangents>;
  /** What is foreseen of the gradient before tangents are measured. Default: nothing. */
  readonly guess?: GuessPasses;
  /** As the estimator's. */
  readonly products?: GradientProducts;
  /** As the estimator's. */
  readonly held?: HeldEstimate;
  /**
   * ĝ = m + V c, and from there the parameters' gradients; m = 0 where nothing is guessed.
   *
   * @param coefficients float32, [k, examples]
   * @param state what a guess remembers. Default: nothing yet
   * @returns by parameter, without those that are products, or held; the arrays are written anew by the next step
   */
  combine(
    feeds: Tensors,
    coefficients: Tensor,
    state?: EstimatorState,
  ): Promise<Readonly<Record<string, Float32Array>>>;
  /** Frees sessions and threads. */
  release(): Promise<void>;
}

/** The passes of a guess m, which tangents correct: ĝ = m + γ (n/k) V c with c = a(d − V m, G). */
export interface GuessPasses {
  /** γ */
  readonly gamma: number;
  /** What it remembers before the first step. */
  init(): EstimatorState;
  /**
   * V m of all k tangents, which were drawn and whose derivatives were taken. Comes before `gram`.
   *
   * @param foreseen written, [k, examples]
   */
  foresee(feeds: Tensors, state: EstimatorState, foreseen: Float64Array): Promise<void>;
  /**
   * Writes what the step taught into the state; once ĝ was formed.
   *
   * @param derivatives d of the step, [k, examples]
   */
  learn(state: EstimatorState, derivatives: Float64Array): void;
}

/** What a dual pass says besides derivatives. */
export interface Primal {
  /** f = mean ℓ_b over the batch. */
  readonly loss: number;
  /** Running statistics after this batch, by name; the arrays are written anew by the next pass. */
  readonly statistics: Readonly<Record<string, Float32Array>>;
}

/** What is known of one example's tangents besides d. */
export interface ExampleTangents {
  /** [k, k]; may be written anew when the next example's is asked for. */
  readonly gram: Float64Array;
  /** Dimension of the space that they live in: the numbers that are perturbed at all sites. */
  readonly dimension: number;
}

/** Engines differ in how long an array may be; none takes one of more bytes. */
const arrayBytes = 2 ** 34;

/**
 * Refuses more tangents than arrays can hold, before memory is taken.
 *
 * @param sizes numbers of one tangent in each of the arrays that hold all k
 * @throws SettingError that says how much memory they need
 */
export function requireMemory(
  { tangents: k, aggregator }: Pick<Method, "tangents" | "aggregator">,
  sizes: readonly number[],
): void {
  // G is kept in float64.
  const arrays = [aggregator.usesGram ? 8 * k * k : 8 * k, ...sizes.map((size) => 4 * k * size)];
  if (Math.max(...arrays) <= arrayBytes) return;
  const gibibytes = Math.ceil(arrays.reduce((sum, bytes) => sum + bytes, 0) / 2 ** 30).toLocaleString("en");
  throw new SettingError(
    words`${option("tangents", k)} needs ${gibibytes} GiB of memory, for the tangents and the products of each two of
      them; choose fewer (16 are the default). Many tangents of a large model fit where they are not kept
      (${option("lowMemory", true)}), so many at once (${option("tangentChunk", null)}).`,
    { option: "tangents" },
  );
}

/** Sizes of the chunks in which tangents are processed: full ones first, then the rest. */
export function chunkSizes(count: number, chunk: number | undefined): number[] {
  const size = chunk ?? count;
  if (!Number.isInteger(size) || size < 1) {
    throw new SettingError(`tangentChunk must be a whole number from 1, received ${chunk}.`, {
      option: "tangentChunk",
    });
  }
  return Array.from({ length: Math.ceil(count / size) }, (_, index) => Math.min(size, count - index * size));
}
