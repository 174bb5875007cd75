/** A learning rate from the curvature along the step. */

/** How the loss changes along a step: f(θ − η·u) = f − η·slope + η²/2·curvature. */
export interface AlongStep {
  /** ∇f·u */
  readonly slope: number;
  /** uᵀ∇²f u */
  readonly curvature: number;
}

/** The automatic learning rate and what it follows from: plain data, so that a checkpoint can hold it. */
export interface AutoStep {
  /** Exponential averages of what was measured, without their bias corrections, which cancel in the quotient. */
  readonly along: AlongStep;
  /** η */
  readonly rate: number;
  /** Measurements so far. */
  readonly count: number;
}

export const freshAutoStep: AutoStep = { along: { slope: 0, curvature: 0 }, rate: 0, count: 0 };

export interface AutoStepOptions {
  /** The rate is at most this, and this where the first measurement says nothing. Default: no limit, and 1. */
  readonly most?: number;
  /** How many times the step that lowers the loss most at once is taken; from 2 on, quadratics diverge. Default 1.8. */
  readonly multiple?: number;
  /** Part of it that the first step takes, before the curvature of the steps to come is known. Default 0.5. */
  readonly start?: number;
  /** Decay of the averages from one measurement to the next. Default 0.8. */
  readonly decay?: number;
}

/** Largest factors by which the rate changes from one measurement to the next. */
const growth = 1.25;
const shrinkage = 4;
const firstSteps = 10;

/**
 * Whether the curvature is measured on this step, from 0: on each of the first ten; then on every tenth, or on every 40th
 * where a step is one reverse pass and costs as little as a measurement.
 */
export function isMeasured(
  step: number,
  gradient: "forward" | "simulated" | "law" | "exact" = "forward",
): boolean {
  return step < firstSteps || step % (gradient === "forward" ? 10 : 40) === 0;
}

/**
 * Takes a measurement into account. On average f(θ − η·u) = f − η·E[∇f·u] + η²/2·E[uᵀ∇²f u], which is lowest at
 * η = E[∇f·u] / E[uᵀ∇²f u]. The noise of forward gradients is in the denominator, so noisier steps are shorter. What
 * lowers the loss most at once is too short for a whole run (Wu et al., arXiv 1803.02021): noise in the steepest
 * directions decides it. So a multiple is taken, and the schedule cools it down.
 *
 * The rate grows and shrinks by limited factors; where the mean curvature is not positive it grows. A mean slope that is
 * not positive is noise, which says nothing of the rate: it stays.
 */
export function afterMeasurement(
  before: AutoStep,
  along: AlongStep,
  options: AutoStepOptions = {},
): AutoStep {
  const { most = Number.POSITIVE_INFINITY, multiple = 1.8, start = 0.5, decay = 0.8 } = options;
  const average = (name: keyof AlongStep) => decay * before.along[name] + (1 - decay) * along[name];
  const mean = { slope: average("slope"), curvature: average("curvature") };
  const isFirst = before.count === 0;
  const lowest = isFirst ? 0 : before.rate / shrinkage;
  const highest = isFirst ? most : Math.min(before.rate * growth, most);
  const best =
    mean.slope <= 0
      ? before.rate
      : mean.curvature <= 0
        ? Number.POSITIVE_INFINITY
        : ((isFirst ? start : 1) * multiple * mean.slope) / mean.curvature;
  const rate = Math.min(Math.max(best, lowest), highest);
  const isUsable = rate > 0 && Number.isFinite(rate);
  const otherwise = isFirst ? Math.min(1, most) : before.rate;
  return { along: mean, rate: isUsable ? rate : otherwise, count: before.count + 1 };
}
