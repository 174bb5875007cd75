/** What the scale of a good learning rate depends on. */
export interface LearningRateRule {
  readonly perturb: "activations" | "weights" | "blocks" | "exact";
  /** Dimension of the space that tangents live in: n for weights, one example's summed site sizes for activations. */
  readonly dimension: number;
  /** k */
  readonly tangents: number;
  readonly aggregate: string;
  readonly momentum: number;
  /** Length that the sampler gives tangents, when it is not about √dimension. */
  readonly radius?: number;
}

/** What works for exact gradients of the models here, with the cosine schedule; no estimate gets a larger one. */
const exactRate = 0.2;

/** The constant c of the rule below, by site; on MNIST, twice as much began to diverge. */
const siteRate = { activations: 0.3, blocks: 0.3, weights: 0.65 } as const;

/**
 * The default learning rate of SGD.
 *
 * The mean of k tangents estimates ∇f without bias, but its noise grows with n/k, and the rate must shrink with it:
 * c/√(1 + n/k), with c = 0.3 for activations, whose noise differs from example to example, and 0.65 for weights. The
 * form and the constants fit runs on MNIST with k from 1 to 64 (bench/README.md). The other aggregators are the mean in
 * another scale: the sum is k times it, and the projection about k/n of it, because it keeps only the part of ∇f that
 * lies in the tangents' span. Momentum μ multiplies the distance that a gradient moves the parameters by 1/(1 − μ), and
 * a sampler of another length l than √n multiplies the mean by l²/n; both are taken out again.
 */
export function defaultLearningRate(rule: LearningRateRule): number {
  const { perturb, dimension: n, tangents: k, aggregate, momentum, radius } = rule;
  if (perturb === "exact") return exactRate * (1 - momentum);
  const mean = Math.min(exactRate, siteRate[perturb] / Math.sqrt(1 + n / k));
  const scale = aggregate === "sum" ? 1 / k : aggregate === "projection" ? Math.max(1, n / k) : 1;
  // A projection does not change with the tangents' length.
  const length = radius === undefined || aggregate === "projection" ? 1 : n / radius ** 2;
  return mean * scale * length * (1 - momentum);
}
