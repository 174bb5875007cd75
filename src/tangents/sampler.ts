/** What a sampler is. */
import type { Fill } from "../random/drawer.ts";
import type { Distribution } from "../random/kernel.ts";
import type { Key } from "../random/threefry.ts";
import type { Identity } from "../settings/named.ts";
import { toggle } from "../settings/option.ts";

/** One tangent, in the pieces that it is stored in: one for each parameter or site, as views. */
export type Pieces = readonly Float32Array[];

/** Where tangents come from. A tangent is a pure function of (seed, step, tangent index, element). */
export interface Sampler extends Identity {
  /**
   * What a tangent's stream holds, of mean 0 and variance 1: a distribution by name, which several threads draw, or a
   * function that writes numbers `start`, `start + 1`, … of the stream `key` times `scale`.
   */
  readonly fill: Extract<Distribution, "normal" | "rademacher"> | Fill;
  /** Length that a whole tangent of this dimension is given; absent: the length it was drawn with. */
  readonly radius?: (dimension: number) => number;
  /** Rank of the tangents of matrices, which are then kept as two thin factors; absent: full. */
  readonly rank?: number;
  /** Degrees between the first tangent of a set and each of the others; absent: they are independent. */
  readonly angle?: number;
  /**
   * Makes the k tangents of one set out of what was drawn, in place and after `radius`; absent: they are independent.
   * Tangent i depends on those before it at most, so that it is the same whatever k is.
   *
   * @param tangents the tangents of one set: of all parameters together, or of one example's sites
   * @param key stream of what is drawn for the set as a whole
   */
  readonly arrange?: (tangents: readonly Pieces[], key: Key) => void;
  /** True: the Gram matrix is computed in float64 for any k, because the tangents are nearly dependent or of unlike length. */
  readonly exactGram?: boolean;
}

/** What a sampler is but for its name and options. */
export type SamplerRule = Omit<Sampler, keyof Identity>;

/** Of samplers whose tangents have one length. */
export const unitOption = {
  /** True gives tangents of length 1, with E[v vᵀ] = I/n, instead of √n. */
  unit: toggle({ help: "tangents of length 1 instead of √n" }),
};

/** Whether a value can fill a tangent: a distribution's name, or a function. */
export function isFill(value: unknown): boolean {
  return value === "normal" || value === "rademacher" || typeof value === "function";
}

/** Fewer numbers than these are multiplied as fast as this module loads. */
const leastNumbers = 2 ** 16;

/** Whether Gram matrices are counted from bits (sign-grams.ts): tangents are signs as they are drawn, and many. */
export function areCounted({ fill, radius, rank, arrange }: Sampler, numbers: number): boolean {
  return fill === "rademacher" && !radius && rank === undefined && !arrange && numbers >= leastNumbers;
}
