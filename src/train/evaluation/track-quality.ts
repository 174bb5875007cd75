/** How good a run's estimates are, measured beside the run: it computes the same with and without. */
import type { Estimate, Estimator } from "../../estimate/estimator.ts";
import {
  copyGradients,
  ExactComparison,
  type Gradients,
  measureQuality,
  type Quality,
  redraw,
} from "../../estimate/quality.ts";
import type { EstimatorState } from "../../estimate/state.ts";
import { NotFiniteError } from "../../linalg/cholesky.ts";
import type { Objective } from "../../objective/objective.ts";
import type { Key } from "../../random/threefry.ts";
import type { Tensors } from "../../runtime/runtime.ts";
import type { Descent } from "../descent/descent.ts";
import type { RunPlan } from "../run-plan.ts";

/** Bias² and variance take two draws. */
const leastDraws = 2;

/** A step whose estimate was formed, and nothing moved yet. */
export interface TrackedStep {
  /** The batch and the parameters. */
  readonly feeds: Tensors;
  /** Of the draws beside the step's own. */
  readonly key: Key;
  /** The step's own. */
  readonly estimate: Estimate;
  /** What the estimator remembered before the step. */
  readonly before: EstimatorState;
}

/** The quality of a run's step. */
export async function qualityOfStep(
  tracker: QualityTracker,
  descent: Descent,
  step: TrackedStep,
): Promise<Quality> {
  return descent.aside(step.estimate, (estimate) => tracker.ofStep({ ...step, estimate }));
}

/** The quality of a run's last state, on the first batch of the training part, so that a resumed run measures the same. */
export async function qualityAtEnd(
  { objective, batches, options: { quality } }: RunPlan,
  whole: Estimator,
  key: Key,
  state: EstimatorState,
): Promise<Quality> {
  batches.readFirst();
  return measureQuality(objective, whole, batches.feeds, key, quality.draws, state);
}

/** Compares estimates of a run's steps with exact gradients, which are compiled for the first. */
export class QualityTracker {
  readonly #estimator: Estimator;
  readonly #comparison: ExactComparison;
  readonly #draws: number;

  /** @param draws of a step, its own among them; at least two are made */
  constructor(objective: Objective, estimator: Estimator, draws: number) {
    this.#estimator = estimator;
    this.#comparison = new ExactComparison(objective);
    this.#draws = Math.max(leastDraws, draws);
  }

  /** The quality of a step's estimate; its arrays hold the same before and after. */
  async ofStep({ feeds, key, estimate, before }: TrackedStep): Promise<Quality> {
    const { gradients, statistics } = estimate;
    const kept = [gradients, statistics].map((arrays) => ({ arrays, copy: copyGradients(arrays) }));
    // An estimate is written where the one before it was.
    const others = await this.#others(feeds, key, before);
    for (const { arrays, copy } of kept)
      for (const [name, values] of Object.entries(arrays)) values.set(copy[name] as Float32Array);
    return this.#comparison.compare(feeds, key, [gradients, ...others], this.#estimator.gain);
  }

  /** None where one of them overflows, which the run's own estimate did not. */
  async #others(feeds: Tensors, key: Key, before: EstimatorState): Promise<readonly Gradients[]> {
    try {
      return await redraw(this.#estimator, feeds, key, this.#draws - 1, before);
    } catch (error) {
      if (error instanceof NotFiniteError) return [];
      throw error;
    }
  }

  async release(): Promise<void> {
    await this.#comparison.release();
  }
}
