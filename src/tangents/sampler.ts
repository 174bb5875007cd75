import type { Key } from "../random/threefry.ts";

/** Where tangents come from. A tangent is a pure function of (seed, step, tangent index, element). */
export interface Sampler {
  readonly name: string;
  /** Writes numbers `start`, `start + 1`, … of the stream `key` times `scale`; they have mean 0 and variance 1. */
  fill(key: Key, start: number, out: Float32Array, scale?: number): void;
  /** Length that a whole tangent of this dimension is given; absent: the length it was drawn with. */
  readonly radius?: (dimension: number) => number;
  /** Rank of the tangents of matrices, which are then kept as two thin factors; absent: full. */
  readonly rank?: number;
}

/** What can be asked of any sampler by name. */
export interface SamplerOptions {
  /** Number of outer products that a matrix's tangent sums; low-rank only. Default 1. */
  readonly rank?: number;
}
