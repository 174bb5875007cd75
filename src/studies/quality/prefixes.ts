/** How the tangents are combined, and with which lengths: as drawn, or each scaled to length 1. */
export interface Combination {
  readonly aggregation: "mean" | "sum" | "projection";
  readonly lengths: "as drawn" | "unit";
}

/** All of the paper's; projection does not depend on the lengths. */
export const combinations: readonly Combination[] = [
  { aggregation: "mean", lengths: "as drawn" },
  { aggregation: "mean", lengths: "unit" },
  { aggregation: "sum", lengths: "as drawn" },
  { aggregation: "sum", lengths: "unit" },
  { aggregation: "projection", lengths: "as drawn" },
];

/** The estimate from the first k tangents next to the gradient. */
export interface PrefixQuality extends Combination {
  readonly k: number;
  /** Cosine of the angle between ĝ and ∇f. */
  readonly cosine: number;
  /** ‖ĝ‖ / ‖∇f‖ */
  readonly normRatio: number;
}

/**
 * The quality of the estimates from the first k tangents of one draw, for several k. No estimate is ever built: with
 * ĝ = V c, ĝ·∇f = c·d and ‖ĝ‖² = cᵀG c, so that prefixes of one draw serve all k.
 *
 * @param gram G of all tangents, row-major [k, k]; its lower triangle is read
 * @param projected the squared lengths of the projections of each gradient, from `nestedProjections`
 * @param derivatives d of each gradient, [k] each
 * @param lengths ‖∇f‖ of each gradient
 * @param counts the k wanted
 * @returns for each gradient, all combinations and all k
 */
export function prefixQualities(
  gram: Float64Array,
  projected: readonly Float64Array[],
  derivatives: readonly Float64Array[],
  lengths: readonly number[],
  counts: readonly number[],
): readonly (readonly PrefixQuality[])[] {
  return derivatives.map((d, index) => {
    const length = lengths[index] as number;
    // c = d, up to the factor 1/k of the mean; for tangents of length 1, dᵢ/‖vᵢ‖ along vᵢ/‖vᵢ‖.
    const drawn = prefixSums(gram, d, d);
    const unit = prefixSums(
      gram,
      d,
      d.map((value, i) => value / (gram[i * d.length + i] as number)),
    );
    const squares = projected[index] as Float64Array;
    return counts.flatMap((k) =>
      combinations.map((combination): PrefixQuality => {
        if (combination.aggregation === "projection") {
          // Its length is the cosine: ĝ·∇f = ‖ĝ‖².
          const cosine = Math.sqrt(squares[k - 1] as number) / length;
          return { ...combination, k, cosine, normRatio: cosine };
        }
        const { inner, square } = combination.lengths === "unit" ? unit : drawn;
        const norm = Math.sqrt(square[k - 1] as number);
        const cosine = (inner[k - 1] as number) / (norm * length);
        const factor = combination.aggregation === "mean" ? 1 / k : 1;
        return { ...combination, k, cosine, normRatio: (factor * norm) / length };
      }),
    );
  });
}

/** For each k: c·d and cᵀG c of the first k tangents. */
function prefixSums(gram: Float64Array, d: Float64Array, c: Float64Array) {
  const count = d.length;
  const inner = new Float64Array(count);
  const square = new Float64Array(count);
  let [innerSum, squareSum] = [0, 0];
  for (let i = 0; i < count; i++) {
    const weight = c[i] as number;
    const row = i * count;
    let [even, odd] = [0, 0];
    for (let j = 0; j + 1 < i; j += 2) {
      even += (gram[row + j] as number) * (c[j] as number);
      odd += (gram[row + j + 1] as number) * (c[j + 1] as number);
    }
    if (i % 2 === 1) even += (gram[row + i - 1] as number) * (c[i - 1] as number);
    innerSum += weight * (d[i] as number);
    squareSum += weight * (2 * (even + odd) + (gram[row + i] as number) * weight);
    inner[i] = innerSum;
    square[i] = squareSum;
  }
  return { inner, square };
}

/** vᵢ·g for each of the k rows of V, in float64. */
export function derivativesOf(rows: Float32Array, gradient: Float64Array, count: number): Float64Array {
  const n = gradient.length;
  const whole = n & ~3;
  return Float64Array.from({ length: count }, (_, tangent) => {
    const start = tangent * n;
    let [s0, s1, s2, s3] = [0, 0, 0, 0];
    for (let i = 0; i < whole; i += 4) {
      s0 += (rows[start + i] as number) * (gradient[i] as number);
      s1 += (rows[start + i + 1] as number) * (gradient[i + 1] as number);
      s2 += (rows[start + i + 2] as number) * (gradient[i + 2] as number);
      s3 += (rows[start + i + 3] as number) * (gradient[i + 3] as number);
    }
    for (let i = whole; i < n; i++) s0 += (rows[start + i] as number) * (gradient[i] as number);
    return s0 + s1 + (s2 + s3);
  });
}
