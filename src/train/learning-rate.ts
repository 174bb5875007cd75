import { type AggregatorName, aggregators } from "../aggregate/aggregators.ts";
import { expectedLargestSquare } from "../aggregate/expected-largest-square.ts";

/** What the scale of a good learning rate depends on. */
export interface LearningRateRule {
  /** Where tangents are injected, or exact gradients. */
  readonly perturb: "activations" | "weights" | "blocks" | "exact";
  /** Dimension of the space that tangents live in: n for weights, one example's summed site sizes for activations. */
  readonly dimension: number;
  /** k */
  readonly tangents: number;
  /** Examples in one batch. Default 64. */
  readonly batch?: number;
  /** Steps of the whole run, over which the rate falls to 0. Default 1,000. */
  readonly steps?: number;
  /** One set of tangents for all examples of a batch. Default false. */
  readonly shareTangents?: boolean;
  /** How derivatives are combined. */
  readonly aggregate: AggregatorName;
  /** True where a projection is divided by its expected cosine. */
  readonly expectedLength?: boolean;
  /** μ of the optimizer; 0 without. */
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

/** The largest rate at a site, η, and how much of each of its n dimensions counts as curved, ρ. */
const siteRates = {
  activations: { largest: 0.18, curved: 0.2 },
  blocks: { largest: 0.18, curved: 1 },
} as const;

/** So many examples of a batch pull in one direction at first: their tangents' noise averages out by a batch over this. */
const alike = 6;

/** For tangents of weights: longest step, and longest walk, relative to what one estimate of one example's gradient is. */
const walk = { step: 0.5, length: 1.9 } as const;

/** Adam's rate for exact and forward gradients alike (bench/README.md), three times Adam's own default. */
const adaptiveRate = 0.003;

/**
 * The default learning rate.
 *
 * **SGD.** What noise costs is bounded in two ways, both measured on MNIST (bench/README.md), for runs of 5,000 steps with
 * batches of 8 to 256 and k from 2 to 16.
 *
 * - *Activations and blocks: curvature.* A step η·ĝ lowers the loss as long as η·E[ĝᵀHĝ] < 2·‖∇f‖². The mean of N independent
 *   tangents in n dimensions has E[ĝᵀHĝ] ≈ (1 + r/N)·∇fᵀH∇f, where r = tr H/λ is the number of curved directions among the n,
 *   and r ≈ ρ·n. So the rate is η/(1 + ρ·n/N). Shared tangents are N = k. Tangents of each example's own are N = k·B/6: the
 *   noise of a batch of B averages out, its first gradients agree that far. Logits are curved most, so ρ is larger for blocks, which
 *   perturb them, than for activations, which know their gradient exactly.
 * - *Weights: the walk.* Noise goes in all n directions, and most of them are flat: nothing pulls back, so after T steps it
 *   has moved the parameters by η·√(T·(1 + n/k)/B), in units of one example's gradient, and too long a walk ends in a region
 *   that is too steep for the rate. The rate keeps this length the same for all k, B and T, and one step short.
 *
 * The rule knows no network's curvature, only that of common ones: a ResNet with the frozen statistics of no data, for which
 * exact gradients diverge at their default too, or with batch statistics and weights, needs a rate 20 to 100 times smaller.
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
  const mean = Math.min(exactRate, rateOfMean(perturb, n, independent, rule));
  // A projection does not change with the tangents' length.
  const length = radius === undefined || isProjection ? 1 : n / radius ** 2;
  const gain = aggregators[aggregate]({ expectedLength: rule.expectedLength }).expectedGain(n, k);
  return (mean / gain) * length * (1 - momentum);
}

/** The rate for the mean of k independent tangents. */
function rateOfMean(
  perturb: "activations" | "blocks" | "weights",
  n: number,
  k: number,
  { batch = 64, steps = 1000, shareTangents = false }: LearningRateRule,
): number {
  if (perturb === "weights") {
    const length = Math.min(walk.step, walk.length * Math.sqrt(batch / Math.max(steps, 1)));
    return length / Math.sqrt(1 + n / k);
  }
  const { largest, curved } = siteRates[perturb];
  const independent = shareTangents ? k : k * Math.max(1, batch / alike);
  return largest / (1 + (curved * n) / independent);
}

/** Number of independent tangents whose mean is as noisy as that of k at a fixed angle to the first. */
function atAngle(k: number, degrees: number): number {
  const square = Math.cos((degrees * Math.PI) / 180) ** 2;
  return k ** 2 / (k + 2 * (k - 1) * square + (k - 1) * (k - 2) * square ** 2);
}
