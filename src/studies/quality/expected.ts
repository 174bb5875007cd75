/** What theory says of an estimate: its cosine, length, bias² and variance. */
import { expectedProjectionCosine } from "../../aggregate/expected-cosine.ts";
import { logGammaHalfStep } from "../../linalg/log-gamma.ts";
import type { Combination } from "./prefixes.ts";

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

/** How many times the gradient the estimate is in expectation: E[v vᵀ] is I, or I/n for tangents of length 1. */
export function expectedGain(n: number, k: number, { aggregation, lengths }: Combination): number {
  if (aggregation === "projection") return Math.min(1, k / n);
  return (aggregation === "sum" ? k : 1) / (lengths === "unit" ? n : 1);
}

/**
 * The variance of the estimate over its gain, as a share of ‖∇f‖², exact for any gradient; its bias is 0.
 *
 * projection: E‖P∇f‖² = (k/n)‖∇f‖², over the gain's square k²/n². mean and sum: one tangent has E‖v‖²(v·∇f)² = (n + 2)‖∇f‖²
 * where lengths are as drawn and n‖∇f‖² where ‖v‖² = n, less ‖∇f‖²; k independent ones a k-th of it.
 */
export function expectedVariance(n: number, k: number, { aggregation, lengths }: Combination): number {
  if (aggregation === "projection") return Math.max(0, n / k - 1);
  return (lengths === "unit" ? n - 1 : n + 1) / k;
}

/** E[√B] for B ~ Beta(a/2, b/2). */
function meanRootBeta(a: number, b: number): number {
  return Math.exp(logGammaHalfStep(a / 2) - logGammaHalfStep((a + b) / 2));
}

/** Places of the first tangent over which `expectedAtAngle` averages. */
const slices = 400;

/**
 * The same for tangents of length 1, all at an angle α to the first (`fixedAngle`).
 *
 * projection: the span of such tangents is as any k-dimensional one, so α does not matter.
 *
 * mean and sum: with t = v₁·g for a g of length 1, C = cos²α, S = sin²α and T = C t² + S (1−t²)/(n−1) = E[dᵢ²|t],
 * E[ĝ·g|t] = t² + (k−1) T and E[‖ĝ‖²|t] = t² + (k−1) T + 2(k−1) C t² + (k−1)(k−2)(C² t² + S² (1−t²)/(n−1)²). The
 * cosine is the mean over t, t² ~ Beta(1/2, (n−1)/2), of the ratio: exact for k = 1, otherwise an approximation that
 * leaves out how the other tangents vary, and is up to 12 % off for two tangents and 7 % for more.
 */
export function expectedAtAngle(
  n: number,
  k: number,
  degrees: number,
  aggregation: Combination["aggregation"],
): Expected {
  if (aggregation === "projection") return expectedQuality(n, k, { aggregation, lengths: "unit" });
  const near = Math.cos((degrees * Math.PI) / 180) ** 2;
  const far = 1 - near;
  let [weights, cosine, norm] = [0, 0, 0];
  for (let slice = 0; slice < slices; slice++) {
    // t = cos φ has the density sin^(n−2) φ.
    const angle = ((slice + 0.5) * Math.PI) / (2 * slices);
    const weight = Math.sin(angle) ** (n - 2);
    const along = Math.cos(angle) ** 2;
    const across = (1 - along) / (n - 1);
    const other = near * along + far * across;
    const inner = along + (k - 1) * other;
    const pairs = (k - 1) * (k - 2) * (near * near * along + (far * far * across) / (n - 1));
    const length = Math.sqrt(inner + 2 * (k - 1) * near * along + pairs);
    weights += weight;
    cosine += (weight * inner) / length;
    norm += weight * length;
  }
  const factor = aggregation === "mean" ? 1 / k : 1;
  return { cosine: cosine / weights, normRatio: (factor * norm) / weights, isExact: k === 1 };
}
