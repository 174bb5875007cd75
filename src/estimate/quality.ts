/** How good an estimate of the gradient is: its bias² and variance, and its angle to the exact one. */
import { lengthOf } from "../arrays/length.ts";
import { SettingError } from "../errors/errors.ts";
import type { Differentiable } from "../objective/objective.ts";
import { own } from "../onnx/own.ts";
import { fold, type Key } from "../random/threefry.ts";
import type { Tensors } from "../runtime/runtime.ts";
import type { Estimator } from "./estimator.ts";
import { cosine, exactGradient } from "./exact.ts";
import { copyState, type EstimatorState } from "./state.ts";

/** A gradient by parameter. */
export type Gradients = Readonly<Record<string, Float32Array>>;

/**
 * How estimates ĝ of one batch's gradient, from independent tangents, compare with the exact gradient ∇f.
 *
 * The cosine misleads: an estimate that always errs to the same side has a high one, and its errors add up from step to
 * step; one that is right on average has a low one, and its errors average out. Bias² and variance tell them apart. Both
 * are shares of ‖∇f‖², of ĝ after it is divided by its known gain (`Estimator.gain`), and both are measured without bias, so
 * that a bias² of 0 comes out on either side of it.
 */
export interface Quality {
  /** Cosine of the angle between ĝ and ∇f, the mean over the draws; 0 where one of them is zero. */
  readonly cosine: number;
  /** Its standard error; absent for one draw. */
  readonly cosineError?: number;
  /** ‖ĝ‖ / ‖∇f‖, the mean over the draws; 0 where the exact gradient is zero. */
  readonly normRatio: number;
  /** ‖E ĝ − ∇f‖² / ‖∇f‖²: what no number of draws averages out. Absent for one draw; 0 where ∇f is zero. */
  readonly biasSquared?: number;
  /** Its standard error; absent for fewer than three draws. */
  readonly biasSquaredError?: number;
  /** E‖ĝ − E ĝ‖² / ‖∇f‖². Absent for one draw; 0 where ∇f is zero. */
  readonly variance?: number;
  /** Its standard error; absent for fewer than three draws. */
  readonly varianceError?: number;
}

/**
 * The quality of estimates that were drawn independently at the same parameters, batch and state. For each two of them,
 * ⟨ĝ₁ − ∇f, ĝ₂ − ∇f⟩ is bias² without bias, and ½‖ĝ₁ − ĝ₂‖² the variance; the means over all pairs are what is reported.
 *
 * @param estimates by parameter, in the parameters' shapes [...]
 * @param target ∇f, of the same shapes [...]
 * @param gain how many times ∇f an estimate is in expectation
 * @throws SettingError when there is no estimate, or the gain is not above 0
 */
export function qualityOf(estimates: readonly Gradients[], target: Gradients, gain = 1): Quality {
  requireDraws(estimates.length);
  if (!(gain > 0 && gain < Number.POSITIVE_INFINITY))
    throw new SettingError(
      `An estimator's gain, E ĝ = gain · ∇f, must be a number above 0, received ${gain}; leave it out where E ĝ is ∇f.`,
      { option: "gain" },
    );
  const count = estimates.length;
  const length = lengthOf(target);
  const cosines = estimates.map((estimate) => cosine(estimate, target));
  const angle = meanOf(cosines);
  const ratios = estimates.map((estimate) => (length === 0 ? 0 : lengthOf(estimate) / length));
  const quality = { cosine: angle, normRatio: meanOf(ratios) };
  if (count === 1) return quality;
  const spread = cosines.reduce((sum, value) => sum + (value - angle) ** 2, 0);
  const products = estimates.map((first, i) =>
    estimates.slice(0, i + 1).map((second) => errorProduct(first, second, target, gain)),
  );
  const product = (i: number, j: number) =>
    length === 0 ? 0 : (products[Math.max(i, j)]?.[Math.min(i, j)] as number) / length ** 2;
  const bias = overPairs(count, product);
  const variance = overPairs(count, (i, j) => (product(i, i) + product(j, j)) / 2 - product(i, j));
  return {
    ...quality,
    cosineError: Math.sqrt(spread / (count - 1) / count),
    biasSquared: bias.mean,
    biasSquaredError: bias.error,
    variance: variance.mean,
    varianceError: variance.error,
  };
}

/**
 * Estimates of one batch's gradient from tangents that are drawn anew for each.
 *
 * @param key the draws' keys are folded from it
 * @param state the estimator's, which stays as it is
 * @returns copies
 */
export async function redraw(
  estimator: Estimator,
  feeds: Tensors,
  key: Key,
  draws: number,
  state?: EstimatorState,
): Promise<Gradients[]> {
  const estimates: Gradients[] = [];
  for (let draw = 0; draw < draws; draw++) {
    const { gradients } = await estimator.estimate(feeds, fold(key, draw), state && copyState(state));
    estimates.push(copyGradients(gradients));
  }
  return estimates;
}

/** A copy, which stays when the next estimate is written. */
export function copyGradients(gradients: Gradients): Gradients {
  return Object.fromEntries(Object.entries(gradients).map(([name, values]) => [name, values.slice()]));
}

/** Compares estimates with exact gradients, which are compiled for the first. */
export class ExactComparison {
  readonly #objective: Differentiable;
  #exact: Estimator | undefined;

  constructor(objective: Differentiable) {
    this.#objective = objective;
  }

  /**
   * @param feeds the batch that the estimates are of
   * @param gain as for `qualityOf`
   */
  async compare(
    feeds: Tensors,
    key: Key,
    estimates: readonly Gradients[],
    gain: number | undefined,
  ): Promise<Quality> {
    this.#exact ??= await exactGradient(this.#objective);
    return qualityOf(estimates, (await this.#exact.estimate(feeds, key)).gradients, gain);
  }

  async release(): Promise<void> {
    await this.#exact?.release();
  }
}

/**
 * How good an estimator is on one batch, over several draws of the tangents at the same parameters and state; it keeps the
 * draws, so many times the parameters' memory.
 *
 * @param feeds the batch and the parameters, by input name, each in the shape [...] that the objective's graph declares
 * @param draws two or more for bias² and variance, three or more for their standard errors
 * @param state the estimator's, which stays as it is. Default: the state before the first step
 * @throws SettingError when `draws` is less than 1; other errors as the estimator's own
 * @example
 * const estimator = await createEstimator(objective, { tangents: 16 });
 * const { biasSquared, variance, cosine } = await measureQuality(objective, estimator, feeds, keyFromSeed(0), 8);
 */
export async function measureQuality(
  objective: Differentiable,
  estimator: Estimator,
  feeds: Tensors,
  key: Key,
  draws: number,
  state?: EstimatorState,
): Promise<Quality> {
  requireDraws(draws);
  const comparison = new ExactComparison(objective);
  try {
    const estimates = await redraw(estimator, feeds, key, draws, state);
    return await comparison.compare(feeds, key, estimates, estimator.gain);
  } finally {
    await comparison.release();
  }
}

function requireDraws(draws: number): void {
  if (Number.isInteger(draws) && draws >= 1) return;
  throw new SettingError(
    `The quality of an estimate needs one draw or more, a whole number, received ${draws}; choose two or more for bias² and variance.`,
    { option: "draws" },
  );
}

/** ⟨a/gain − ∇f, b/gain − ∇f⟩ over all parameters; what an estimate leaves out is 0. */
function errorProduct(a: Gradients, b: Gradients, target: Gradients, gain: number): number {
  let sum = 0;
  for (const [name, exact] of Object.entries(target)) {
    const [first, second] = [own(a, name), own(b, name)];
    for (let index = 0; index < exact.length; index++) {
      const value = exact[index] as number;
      const left = (first?.[index] ?? 0) / gain - value;
      sum += left * ((second?.[index] ?? 0) / gain - value);
    }
  }
  return sum;
}

/**
 * The mean of h over all pairs of independent draws, and its standard error by the jackknife: from what the mean is without
 * each of the draws. It rather overstates the error (Efron and Stein 1981), by up to 1.7 times for four draws of no bias.
 */
function overPairs(
  count: number,
  h: (i: number, j: number) => number,
): { readonly mean: number; readonly error: number | undefined } {
  const rows = Array.from({ length: count }, (_, i) => {
    let sum = 0;
    for (let j = 0; j < count; j++) if (j !== i) sum += h(i, j);
    return sum;
  });
  const total = rows.reduce((sum, row) => sum + row, 0);
  const mean = total / (count * (count - 1));
  if (count < 3) return { mean, error: undefined };
  const without = rows.map((row) => (total - 2 * row) / ((count - 1) * (count - 2)));
  const squares = without.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, error: Math.sqrt((squares * (count - 1)) / count) };
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
