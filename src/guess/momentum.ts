/** Momentum: the running mean of past estimates of the weights' gradient, corrected by what tangents measure of its error. */
import { named } from "../settings/named.ts";
import { type Given, number } from "../settings/option.ts";
import type { GuessRule, ParameterGuess } from "./guess.ts";

export const momentumOptions = {
  /** β: the share of the running mean that is foreseen, from 0 to 1. Default: measured, from the steps before. */
  beta: number(
    { from: 0, to: 1 },
    { help: "share of the mean of past estimates that is foreseen", otherwise: "measured" },
  ),
  /** γ: how much of what tangents measure is added to the guess, above 0 and up to 1. 1: no bias. */
  gamma: number({ above: 0, to: 1 }, { help: "how much of the tangents' correction is added", default: 1 }),
};

/** Options of `momentum`. */
export type MomentumOptions = Given<typeof momentumOptions>;

/**
 * m = β·p with the running mean p of past estimates, in which each step counts k/n:
 *
 *     p += k/n · (ĝ − p)
 *
 * With ĝ = p + (n/k)·V⁺(d − V p) that is p += V⁺(d − V p), the projection of p on what the step measured (Kaczmarz), which
 * never leaves p farther from that step's gradient than it was: a mean that followed faster would be mostly noise, because one
 * estimate's is n/k times ‖∇f‖². So p knows the share k·T/n of a gradient that stayed the same for T steps: the guess
 * can help where parameters are few, and gained nothing with 12,000 and more (bench/README.md).
 *
 * State: n numbers. Time: one product of the k tangents with p a step.
 *
 * @throws SettingError when β or γ is out of range
 */
export const momentum = named(
  "guess",
  "momentum",
  momentumOptions,
  ({ beta, gamma }): GuessRule => ({ gamma, weights: { ...runningMean, scale: beta } }),
);

const runningMean: ParameterGuess = {
  memory: (size) => ({ mean: size }),
  guess: ({ mean }) => mean as Float32Array,
  // p += k/n · (ĝ − p)
  learn({ mean = new Float32Array() }, { estimate, measured }) {
    for (let index = 0; index < mean.length; index++) {
      const before = mean[index] as number;
      mean[index] = before + measured * ((estimate[index] as number) - before);
    }
  },
};
