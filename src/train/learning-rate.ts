import { type AggregatorName, aggregators } from "../aggregate/aggregators.ts";
import { expectedLargestSquare } from "../aggregate/expected-largest-square.ts";

/** What the scale of a good learning rate depends on. */
export interface LearningRateRule {
  readonly perturb: "activations" | "weights" | "blocks" | "exact";
  /** Dimension of the space that tangents live in: n for weights, one example's summed site sizes for activations. */
  readonly dimension: number;
  /** k */
  readonly tangents: number;
  readonly aggregate: AggregatorName;
  /** True where a projection is divided by its expected cosine. */
  readonly expectedLength?: boolean;
  readonly momentum: number;
  /** Default sgd. */
  readonly optimizer?: string;
  /** Length that the sampler gives tangents, when it is not about √dimension. */
  readonly radius?: number;
  /** Degrees between the first tangent and the others, when they are not independent. */
  readonly angle?: number;
}

/** What works for exact gradients of the models here, with the cosine schedule; no estimate gets a larger one. */
const exactRate = 0.2;

/** The constant c of the rule below, by site. */
const siteRate = { activations: 0.65, blocks: 0.3, weights: 0.65 } as const;

/** Adam's rate for exact and forward gradients alike (bench/README.md), three times Adam's own default. */
const adaptiveRate = 0.003;

/**
 * The default learning rate.
 *
 * **SGD.** A step must not be longer than the noise allows: rate·√E‖ĝ‖² = c·‖∇f‖. The mean of k tangents estimates ∇f
 * without bias, with E‖ĝ‖² = (1 + n/k)‖∇f‖², so its rate is c/√(1 + n/k), with c = 0.65 for activations and for weights,
 * and 0.3 for blocks. The form and the constants fit runs on MNIST with k from 1 to 64 (bench/README.md). Summed over all
 * positions, n holds for convolutions too: LeNet-5 is about best at this rate, and ResNets with groups learn at it. It is
 * several times too large for transformers.
 * The rule knows n and k and not the network's curvature: a ResNet with the frozen statistics of no data, for which exact
 * gradients diverge at their default too, or with batch statistics and weights, needs a rate 20 to 100 times smaller.
 * The other aggregators are the mean in another scale, or of another number of tangents:
 *
 * - sum: k times the mean; mean-times-dimension: n times it.
 * - projection: about k/n of it, because it keeps only the part of ∇f that lies in the tangents' span; with the expected
 *   length, that divided by the expected cosine.
 * - max: the tangent with the largest |d| has d² = m‖∇f‖², m = E[max zᵢ²] of k normal zᵢ. Its estimate m∇f with noise
 *   mn‖∇f‖² is m times the mean of m tangents. near-best averages noise away that max keeps, so max's rate is safe for it.
 * - max-normalized: max with each tangent's d divided by ‖v‖² = n, the projection on m effective tangents.
 *
 * Tangents at an angle α are worth fewer in a mean: E‖ĝ‖² = n‖∇f‖² Σᵢⱼ ρᵢⱼ²/k² with the cosines ρ, cos α between the
 * first and another and cos² α between two others, as if there were k²/Σρ² of them. A projection does not mind.
 *
 * Momentum μ multiplies the distance that a gradient moves the parameters by 1/(1 − μ), and a sampler of another length l
 * than √n multiplies the mean by l²/n; both are taken out again.
 *
 * **Adam and AdamW** divide each gradient by its own size, so one rate serves all estimators.
 */
export function defaultLearningRate(rule: LearningRateRule): number {
  const { perturb, dimension: n, tangents: k, aggregate, momentum, radius } = rule;
  if (rule.optimizer !== undefined && rule.optimizer !== "sgd") return adaptiveRate;
  if (perturb === "exact") return exactRate * (1 - momentum);
  const isProjection = aggregate === "projection" || aggregate === "max-normalized";
  const effective = aggregate.includes("max") || aggregate === "near-best" ? expectedLargestSquare(k) : k;
  const independent =
    rule.angle === undefined || isProjection ? effective : Math.min(effective, atAngle(k, rule.angle));
  const mean = Math.min(exactRate, siteRate[perturb] / Math.sqrt(1 + n / independent));
  // A projection does not change with the tangents' length.
  const length = radius === undefined || isProjection ? 1 : n / radius ** 2;
  const gain = aggregators[aggregate]({ expectedLength: rule.expectedLength }).expectedGain(n, k);
  return (mean / gain) * length * (1 - momentum);
}

/** Number of independent tangents whose mean is as noisy as that of k at a fixed angle to the first. */
function atAngle(k: number, degrees: number): number {
  const square = Math.cos((degrees * Math.PI) / 180) ** 2;
  return k ** 2 / (k + 2 * (k - 1) * square + (k - 1) * (k - 2) * square ** 2);
}
