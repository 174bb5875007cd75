/** What an aggregator is: from derivatives and Gram matrix to coefficients. */
import { SettingError } from "../errors/errors.ts";
import type { Identity } from "../settings/named.ts";

/** What an aggregator may know of the tangents besides d and G. */
export interface AggregationContext {
  /** n, the dimension of the space that the tangents live in; some aggregators need it. */
  readonly dimension?: number;
  /** Relative error of G's entries: 2⁻⁵² unless given, 2⁻²³ for a G computed in float32. */
  readonly gramPrecision?: number;
}

/** From (d, G) to c; ĝ = V c. An aggregator never sees a tangent. */
export interface Aggregator extends Identity {
  /** False when `gram` is not read, so that callers need not compute it. */
  readonly usesGram: boolean;
  /**
   * How many times ∇f the estimate is, about, in expectation: from k independent tangents with E[v vᵀ] = I in n dimensions.
   */
  expectedGain(n: number, k: number): number;
  /**
   * Writes the coefficients c.
   *
   * @param derivatives d, [k]
   * @param gram G = V Vᵀ, row-major [k, k]; may be undefined when usesGram is false
   * @param coefficients c, [k], written
   * @throws when the lengths disagree, or a Gram matrix or dimension that is needed is missing
   */
  aggregate(
    derivatives: Float64Array,
    gram: Float64Array | undefined,
    coefficients: Float64Array,
    context?: AggregationContext,
  ): void;
}

/** What an aggregator is but for its name and options. */
export type AggregatorRule = Omit<Aggregator, keyof Identity>;

/** Throws unless there are as many coefficients as derivatives. */
export function requireSameLength(name: string, derivatives: Float64Array, coefficients: Float64Array): void {
  if (derivatives.length === coefficients.length) return;
  throw new SettingError(
    `The aggregator '${name}' writes one coefficient for each derivative; received ${derivatives.length} ` +
      `derivatives and an array of ${coefficients.length} coefficients.`,
    { option: "coefficients" },
  );
}

/** @throws when there is no Gram matrix. */
export function requireGram(name: string, use: string, gram: Float64Array | undefined): Float64Array {
  if (gram) return gram;
  throw new SettingError(
    `The aggregator '${name}' ${use} and received no Gram matrix G; compute it from the tangents, ` +
      "or choose an aggregator whose usesGram is false.",
    { option: "gram" },
  );
}

/** @throws when the dimension is not known. */
export function requireDimension(name: string, context: AggregationContext | undefined): number {
  if (context?.dimension !== undefined) return context.dimension;
  throw new SettingError(
    `The aggregator '${name}' needs the dimension n of the tangents and received none; pass it in the context.`,
    { option: "dimension" },
  );
}
