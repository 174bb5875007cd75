import type { AggregationContext, Aggregator } from "../aggregate/aggregator.ts";
import { type Tensor, zeros } from "../onnx/tensor.ts";
import type { Key } from "../random/threefry.ts";
import type { Tensors } from "../runtime/runtime.ts";
import type { Sampler } from "../tangents/sampler.ts";
import { statisticsOutput } from "./batch-norm.ts";
import type { Differentiable } from "./objective.ts";

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
}

/** Room for the gradients that a graph computes: tensors by output name, and their data by parameter. */
export function gradientRoom({ parameters }: Pick<Differentiable, "parameters">): {
  readonly tensors: Tensors;
  readonly gradients: Readonly<Record<string, Float32Array>>;
} {
  const rooms = Object.entries(parameters).map(
    ([name, { shape }]) => [name, zeros("float32", shape)] as const,
  );
  return {
    tensors: Object.fromEntries(rooms.map(([name, tensor]) => [`gradient/${name}`, tensor])),
    gradients: Object.fromEntries(rooms.map(([name, { data }]) => [name, data as Float32Array])),
  };
}

/** Room for the running statistics that a graph computes: tensors by output name, and their data by statistic. */
export function statisticsRoom({ statistics = {} }: Differentiable): {
  readonly tensors: Tensors;
  readonly statistics: Readonly<Record<string, Float32Array>>;
} {
  const rooms = Object.entries(statistics).map(
    ([name, { shape }]) => [name, zeros("float32", shape)] as const,
  );
  return {
    tensors: Object.fromEntries(rooms.map(([name, tensor]) => [statisticsOutput(name), tensor])),
    statistics: Object.fromEntries(rooms.map(([name, { data }]) => [name, data as Float32Array])),
  };
}

/** A way to estimate the gradient of an objective from forward passes. */
export interface Estimator {
  readonly name: string;
  /** Dimension of the space that tangents live in: n for weights, one example's summed site sizes for activations. */
  readonly dimension: number;
  /**
   * @param feeds the batch and the parameters, by input name
   * @param key the step's key; the tangents are a pure function of it
   */
  estimate(feeds: Tensors, key: Key): Promise<Estimate>;
  release(): Promise<void>;
}

/** What is known of one example's tangents besides d. */
export interface ExampleTangents {
  readonly gram: Float64Array;
  /** Dimension of the space that they live in: the numbers that are perturbed at all sites. */
  readonly dimension: number;
}

/**
 * Gives each example its own coefficients.
 *
 * A projection on k tangents keeps about k/m of a gradient in m dimensions, and m is an example's own where a ReLU leaves
 * some of n numbers. Its coefficients are brought to the gain of n dimensions, so that examples weigh the same, and
 * as much as what is known exactly: E ĝ is one multiple of ∇f.
 *
 * @param derivatives d of each example's own loss, [k, batch]
 * @param tangentsOf asked for in the order of the examples, where the aggregator reads G
 * @param coefficients written, [k, batch]
 * @param context of all numbers at the sites, n
 */
export function aggregateExamples(
  aggregator: Aggregator,
  derivatives: Float64Array,
  tangentsOf: (example: number) => ExampleTangents,
  coefficients: Tensor,
  context: AggregationContext & { readonly dimension: number },
): void {
  const [k = 0, batch = 0] = coefficients.shape;
  const gain = aggregator.expectedGain(context.dimension, k);
  const own = { derivatives: new Float64Array(k), coefficients: new Float64Array(k) };
  for (let example = 0; example < batch; example++) {
    for (let i = 0; i < k; i++) own.derivatives[i] = derivatives[i * batch + example] as number;
    const tangents = aggregator.usesGram ? tangentsOf(example) : undefined;
    // Without active numbers all derivatives are 0, and so is the estimate at any scale.
    const dimension = Math.max(1, tangents?.dimension ?? context.dimension);
    aggregator.aggregate(own.derivatives, tangents?.gram, own.coefficients, { ...context, dimension });
    const scale = gain / aggregator.expectedGain(dimension, k);
    for (let i = 0; i < k; i++)
      coefficients.data[i * batch + example] = scale * (own.coefficients[i] as number);
  }
}

/**
 * How many times ∇f an estimate is, about, in expectation. What is known exactly is multiplied by it, so that one learning
 * rate suits all parameters.
 */
export function expectedGain(aggregator: Aggregator, sampler: Sampler, n: number, k: number): number {
  // Aggregators that read G divide by the tangents' lengths.
  const square = aggregator.usesGram || !sampler.radius ? n : sampler.radius(n) ** 2;
  return (aggregator.expectedGain(n, k) * square) / n;
}

/** Sizes of the chunks in which k tangents are processed: full ones first, then the rest. */
export function chunkSizes(count: number, chunk: number | undefined): number[] {
  const size = chunk ?? count;
  if (!Number.isInteger(size) || size < 1) {
    throw new Error(`tangentChunk must be a whole number from 1, received ${chunk}.`);
  }
  return Array.from({ length: Math.ceil(count / size) }, (_, index) => Math.min(size, count - index * size));
}

/**
 * Float32 Gram matrices are trusted while tangents are independent and few for their dimension; beyond, float64 is
 * needed.
 */
export function needsExactGram(count: number, dimension: number, sampler: Sampler): boolean {
  return count > dimension / 8 || sampler.exactGram === true;
}

/** Relative error of a Gram matrix's entries, by how it was computed. */
export function gramPrecision(isExact: boolean): number {
  return isExact ? 2 ** -52 : 2 ** -23;
}
