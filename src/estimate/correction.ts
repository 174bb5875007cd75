/** What tangents measure of a guess's error, and how much of the gradient it does not foresee. */
import { guessName } from "../ad/names.ts";
import type { Tensors } from "../runtime/runtime.ts";
import type { GuessPasses } from "./passes.ts";
import type { EstimatorState } from "./state.ts";

/** The array of an estimator's state with the share of the gradient that its guess does not foresee. */
const shareName = guessName("unforeseen");

/** So much of each step's share enters the running mean. */
const shareStep = 0.1;

/** A guess that is corrected step by step. */
export interface Correction {
  /** State before the first step. */
  init(): EstimatorState;
  /** d − V m, [k, examples]; written anew by the next step. */
  errors(feeds: Tensors, state: EstimatorState): Promise<Float64Array>;
  /**
   * Takes over what the step taught, once ĝ was formed.
   *
   * @returns ‖∇f − m‖² / ‖∇f‖² as the steps before measured it: what depends on it must not know this step's tangents
   */
  learn(state: EstimatorState): number;
}

/** @param derivatives d of each step, [k, examples], which the dual passes write */
export function correction(guess: GuessPasses, derivatives: Float64Array): Correction {
  const errors = new Float64Array(derivatives.length);
  return {
    init: () => ({ ...guess.init(), [shareName]: Float64Array.of(1) }),
    async errors(feeds, state) {
      await guess.foresee(feeds, state, errors);
      for (const [index, d] of derivatives.entries()) errors[index] = d - (errors[index] as number);
      return errors;
    },
    learn(state) {
      guess.learn(state, derivatives);
      const share = state[shareName] as Float64Array;
      const before = share[0] as number;
      // Σ (d − V m)² / Σ d²: with tangents of unit variance, an estimate that costs nothing.
      const whole = square(derivatives);
      // At most 1: a batch that was right already says nothing of those to come, and would for hundreds of steps.
      const ratio = square(errors) / whole;
      if (whole > 0) share[0] = before + shareStep * ((ratio < 1 ? ratio : 1) - before);
      return before;
    },
  };
}

function square(values: Float64Array): number {
  return values.reduce((total, value) => total + value * value, 0);
}
