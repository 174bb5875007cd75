import { statisticsOutput } from "../objective/batch-norm.ts";
import type { Differentiable } from "../objective/objective.ts";
import { zeros } from "../onnx/tensor.ts";
import type { Key } from "../random/threefry.ts";
import type { Tensors } from "../runtime/runtime.ts";

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
