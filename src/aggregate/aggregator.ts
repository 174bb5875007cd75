/** From (d, G) to c; ĝ = V c. An aggregator never sees a tangent. */
export interface Aggregator {
  readonly name: string;
  /** False when `gram` is not read, so that callers need not compute it. */
  readonly usesGram: boolean;
  /**
   * Writes the coefficients c.
   *
   * @param derivatives d, [k]
   * @param gram G = V Vᵀ, row-major [k, k]; may be undefined when usesGram is false
   * @param coefficients c, [k], written
   * @param gramPrecision relative error of G's entries: 2⁻⁵² unless given, 2⁻²³ for a G computed in float32
   * @throws when the lengths disagree or a needed Gram matrix is missing
   */
  aggregate(
    derivatives: Float64Array,
    gram: Float64Array | undefined,
    coefficients: Float64Array,
    gramPrecision?: number,
  ): void;
}

/** Throws unless there are as many coefficients as derivatives. */
export function requireSameLength(name: string, derivatives: Float64Array, coefficients: Float64Array): void {
  if (derivatives.length === coefficients.length) return;
  throw new Error(
    `The aggregator '${name}' writes one coefficient for each derivative; received ${derivatives.length} ` +
      `derivatives and room for ${coefficients.length} coefficients.`,
  );
}
