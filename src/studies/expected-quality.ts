import { expectedProjectionCosine } from "../aggregate/expected-cosine.ts";
import { logGammaHalfStep } from "../linalg/log-gamma.ts";
import type { Combination } from "./prefix-quality.ts";

/** What theory says of one combination: means over the tangents. */
export interface Expected {
  readonly cosine: number;
  readonly normRatio: number;
  /** False: an approximation, right at k = 1 and as k grows. */
  readonly isExact: boolean;
}

/**
 * The expected cosine and norm ratio of k independent Gaussian tangents in n dimensions, for any gradient.
 *
 * projection: cos² ~ Beta(k/2, (n−k)/2), and the norm ratio is the cosine.
 *
 * mean and sum, lengths as drawn: ĝ ∝ W g with W = VᵀV of Wishart distribution. With g along the first axis,
 * W g = (s, √s·z), s ~ χ²_k, z ~ N(0, I_{n−1}), so cos² = s/(s + ‖z‖²) ~ Beta(k/2, (n−1)/2), the law of a projection in
 * n + k − 1 dimensions, independent of s + ‖z‖²: E[‖ĝ‖/‖g‖] = (n + k − 1) E[cos], divided by k for the mean.
 *
 * mean and sum, unit lengths: no closed form. For k tangents the shares of the noise are those of Beta(a/2, (n−1)/2) with
 * a = k + 2(k−1)/n, which is exact for k = 1 and has the right limit for large k; E‖ĝ‖²/‖g‖² = k(n + k − 1)/n² is exact.
 */
export function expectedQuality(n: number, k: number, { aggregation, lengths }: Combination): Expected {
  if (aggregation === "projection") {
    const cosine = expectedProjectionCosine(n, k);
    return { cosine, normRatio: cosine, isExact: true };
  }
  const factor = aggregation === "mean" ? 1 / k : 1;
  if (lengths === "as drawn") {
    const cosine = expectedProjectionCosine(n + k - 1, k);
    return { cosine, normRatio: factor * (n + k - 1) * cosine, isExact: true };
  }
  if (n === 1) return { cosine: 1, normRatio: factor * k, isExact: true };
  const signal = k + (2 * (k - 1)) / n;
  const cosine = meanRootBeta(signal, n - 1);
  const shrink = cosine / Math.sqrt(signal / (signal + n - 1));
  return { cosine, normRatio: (factor * shrink * Math.sqrt(k * (n + k - 1))) / n, isExact: k === 1 };
}

/** E[√B] for B ~ Beta(a/2, b/2). */
function meanRootBeta(a: number, b: number): number {
  return Math.exp(logGammaHalfStep(a / 2) - logGammaHalfStep((a + b) / 2));
}

/**
 * The same for tangents of length 1, all at an angle α to the first (`fixedAngle`).
 *
 * projection: the span of such tangents is as any k-dimensional one, so α does not matter. mean and sum: E[ĝ·g]/‖g‖² = k/n
 * and E‖ĝ‖²/‖g‖² = [k + 2(k−1)cos²α + (k−1)(k−2)(cos⁴α + sin⁴α/(n−1))]/n exactly; the cosine is their ratio
 * (k/n)/√E‖ĝ‖², an approximation from above that ignores how both vary.
 */
export function expectedAtAngle(
  n: number,
  k: number,
  degrees: number,
  aggregation: Combination["aggregation"],
): Expected {
  if (aggregation === "projection") return expectedQuality(n, k, { aggregation, lengths: "unit" });
  const cosine2 = Math.cos((degrees * Math.PI) / 180) ** 2;
  const others = (k - 1) * (k - 2) * (cosine2 ** 2 + (1 - cosine2) ** 2 / (n - 1));
  const square = (k + 2 * (k - 1) * cosine2 + others) / n;
  const norm = Math.sqrt(square);
  return { cosine: k / n / norm, normRatio: aggregation === "mean" ? norm / k : norm, isExact: false };
}
