import type { Aggregator } from "../aggregate/aggregator.ts";
import { expectedLargestSquare } from "../aggregate/expected-largest-square.ts";
import type { EstimatorDefinition, EstimatorPlan, NoiseBound } from "../estimate/estimator.ts";
import { activations, estimators } from "../estimate/estimators.ts";
import { resolveOptions } from "../settings/check.ts";
import { isFunction, namedSetting } from "../settings/named-setting.ts";
import { type Given, number, toggle, whole } from "../settings/option.ts";
import { aggregateSetting, optimizerSetting, samplerSetting } from "./settings/choices.ts";
import type { ChosenEstimator } from "./settings/estimator.ts";
import type { RunSettings } from "./settings/run-settings.ts";

const ruleOptions = {
  /** Where tangents are injected; exact: there are none. An estimator of your own says its `noise`. Default activations. */
  perturb: namedSetting<typeof estimators, EstimatorDefinition>("perturb", estimators, {
    help: "where tangents are injected",
    parts: { plan: isFunction },
    default: "activations",
  }),
  /** Dimension of the space that tangents live in: n for weights, one example's summed site sizes for activations. */
  dimension: number({ above: 0 }, { help: "dimension of the tangents' space", default: 1 }),
  /** k. Default 1. */
  tangents: whole(1, { help: "number of tangents", default: 1 }),
  /** Examples in one batch. Default 64. */
  batch: whole(1, { help: "examples in one batch", default: 64 }),
  /** Steps of the whole run, over which the rate falls to 0. Default 1,000. */
  steps: whole(0, { help: "steps of the whole run", default: 1000 }),
  /** One set of tangents for all examples of a batch. Default false. */
  shareTangents: toggle({ help: "one set of tangents for all examples of a batch" }),
  aggregate: aggregateSetting,
  /**
   * What part of ‖∇f‖² a guess does not foresee, from 0 to 1, where tangents correct one. Default: nothing is guessed.
   */
  unforeseen: number(
    { from: 0 },
    { help: "part of the gradient that a guess does not foresee", otherwise: "no guess" },
  ),
  /** Default sgd without momentum. */
  optimizer: optimizerSetting,
  /** Default: tangents of length about √dimension that are independent of each other. */
  sampler: samplerSetting,
};

/** What the scale of a good learning rate depends on. */
export interface LearningRateRule extends Given<typeof ruleOptions> {}

/** What works for exact gradients of the models here, with the cosine schedule; no estimate gets a larger one. */
const exactRate = 0.25;

/** Where a guess is corrected, noise is what it does not foresee, at sites from which the loss is curved about alike. */
const corrected = { by: "curvature", largest: exactRate, curved: 0.4 } as const;

/** So many examples of a batch pull in one direction at first: their tangents' noise averages out by a batch over this. */
const alike = 6;

/** Adam's rate for exact and forward gradients alike (bench/README.md), three times Adam's own default. */
const adaptiveRate = 0.003;

/** The ratio of noise to signal, v·n/N, up to which Adam's rate is that; of more, it falls like the root (bench/README.md). */
const quiet = 30;

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
 * **A guess** that tangents correct leaves only what it does not foresee to their noise: the rate is η/(1 + ρ·v·n/N) with
 * η = 0.25, ρ = 0.4, and v the share of ‖∇f‖² that was not foreseen, which each step measures. Where all is foreseen, it is the
 * exact gradient's. For weights n/k is multiplied by v.
 *
 * Momentum μ multiplies the distance that a gradient moves the parameters by 1/(1 − μ), and a sampler of another length l
 * than √n multiplies the mean by l²/n; both are taken out again.
 *
 * **Adam and AdamW** divide each gradient by its own size, so one rate serves all estimators; but where noise is most of that size, each number walks
 * by the rate a step, whatever is signal in it, and a large rate walks off with the weights. A guess measures its noise, v·n/N, and
 * above 30 the rate is divided by √(v·n/(30·N)).
 *
 * @throws SettingError for an unknown option, or a value out of range
 */
export function defaultLearningRate(rule: LearningRateRule): number {
  return learningRates(rule)(rule.unforeseen);
}

/** The default rate as a function of `unforeseen`, all else being settled once. @throws as `defaultLearningRate` */
function learningRates(rule: LearningRateRule): (unforeseen: number | undefined) => number {
  const resolved = resolveOptions(ruleOptions, rule, { of: "defaultLearningRate" });
  const { dimension: n, tangents: k } = resolved;
  const noise = estimatorNoise(resolved.perturb);
  const { momentum = 0, isAdaptive = false } = optimizerSetting.choose(resolved.optimizer);
  if (isAdaptive)
    return (unforeseen = 0) => {
      const noisy = noise.by === "curvature" ? (n * Math.min(1, unforeseen)) / independentOf(k, resolved) : 0;
      return adaptiveRate * Math.min(1, Math.sqrt(quiet / noisy));
    };
  if (noise.by === "nothing") return () => exactRate * (1 - momentum);
  const aggregator = aggregateSetting.choose(resolved.aggregate);
  const sampler = resolved.sampler === undefined ? undefined : samplerSetting.choose(resolved.sampler);
  const isProjection = aggregator.name === "projection" || aggregator.name === "max-normalized";
  const effective = readsBest(aggregator) ? expectedLargestSquare(k) : k;
  const independent =
    sampler?.angle === undefined || isProjection ? effective : Math.min(effective, atAngle(k, sampler.angle));
  const radius = sampler?.radius?.(n) ?? Math.sqrt(n);
  // A projection does not change with the tangents' length.
  const length = radius === Math.sqrt(n) || isProjection ? 1 : n / radius ** 2;
  return (unforeseen) => {
    const bound = unforeseen === undefined || noise.by !== "curvature" ? noise : corrected;
    const mean = Math.min(exactRate, rateOfMean(bound, n, independent, { ...resolved, unforeseen }));
    // What corrects a guess is brought to ∇f itself.
    if (unforeseen !== undefined) return mean * (1 - momentum);
    return (mean / aggregator.expectedGain(n, k)) * length * (1 - momentum);
  };
}

/** What bounds the rate of an estimator, in whichever form it is given; one that does not say is taken for activations. */
function estimatorNoise(chosen: unknown): NoiseBound {
  const { noise = activations().noise } = ruleOptions.perturb.choose(chosen);
  return noise ?? { by: "nothing" };
}

/** Whether an aggregator looks at the tangents of the largest |d| alone. */
function readsBest({ name }: Aggregator): boolean {
  return name.includes("max") || name === "near-best";
}

/** The rate for the mean of k independent tangents. */
function rateOfMean(
  noise: Exclude<NoiseBound, { readonly by: "nothing" }>,
  n: number,
  k: number,
  {
    batch,
    steps,
    shareTangents,
    unforeseen = 1,
  }: {
    readonly batch: number;
    readonly steps: number;
    readonly shareTangents: boolean;
    readonly unforeseen?: number | undefined;
  },
): number {
  const noisy = n * Math.min(1, unforeseen);
  if (noise.by === "walk") {
    const length = Math.min(noise.step, noise.length * Math.sqrt(batch / Math.max(steps, 1)));
    return length / Math.sqrt(1 + noisy / k);
  }
  const { largest, curved } = noise;
  return largest / (1 + (curved * noisy) / independentOf(k, { batch, shareTangents }));
}

/** N: how many tangents are independent of each other in a batch. */
function independentOf(
  k: number,
  { batch, shareTangents }: { readonly batch: number; readonly shareTangents: boolean },
): number {
  return shareTangents ? k : k * Math.max(1, batch / alike);
}

/** Number of independent tangents whose mean is as noisy as that of k at a fixed angle to the first. */
function atAngle(k: number, degrees: number): number {
  const square = Math.cos((degrees * Math.PI) / 180) ** 2;
  return k ** 2 / (k + 2 * (k - 1) * square + (k - 1) * (k - 2) * square ** 2);
}

/**
 * The learning rate of a run, by the share of ‖∇f‖² that its guess does not foresee (all of it at first): the one that it was
 * given, or the default for its estimator, from which auto starts.
 *
 * @param plan the estimator's
 */
export function runLearningRate(
  settings: ChosenEstimator & Partial<Pick<RunSettings, "learningRate" | "optimizer">>,
  { dimension, guess }: Pick<EstimatorPlan, "dimension" | "guess">,
  run: { readonly batch: number; readonly steps: number },
): (unforeseen?: number) => number {
  const { learningRate, definition, perturb, tangents, aggregate, sampler, optimizer } = settings;
  if (typeof learningRate === "number") return () => learningRate;
  const rates = learningRates({
    ...{ dimension, tangents, aggregate, sampler, optimizer, ...run },
    perturb: definition.noise ? definition : perturb,
    shareTangents: perturb.config?.shareTangents === true,
  });
  return (unforeseen = 1) => rates(guess && unforeseen);
}
