/** The mean over the tangents that are nearly as good as the best. */
import { named } from "../settings/named.ts";
import { type Given, number } from "../settings/option.ts";
import { type AggregatorRule, requireSameLength } from "./aggregator.ts";
import { expectedLargestSquare } from "./expected-largest-square.ts";

export const nearBestOptions = {
  /** Averages the tangents whose |d| is within this part of the largest, from 0 to 1. */
  within: number({ from: 0, to: 1 }, { help: "averages what is within this part of the best", default: 0.2 }),
};

/** Options of `nearBest`. */
export type NearBestOptions = Given<typeof nearBestOptions>;

/**
 * The mean over the tangents that are nearly as good as the best: c_i = d_i/m for the m tangents with
 * |d_i| ≥ (1 − within)·max |d|, and 0 for the others. With `within` 0 it is the best tangent (the mean of them in a tie),
 * with 1 the mean of all.
 *
 * @throws SettingError when `within` is not from 0 to 1
 * @source this library, after the mean of the best tangents in the code of Flügel et al.
 * (https://github.com/Helmholtz-AI-Energy/frog)
 */
export const nearBest = named("aggregate", "near-best", nearBestOptions, ({ within }): AggregatorRule => {
  return {
    usesGram: false,
    // Averaging keeps the best tangent's scale.
    expectedGain: (_n, k) => expectedLargestSquare(k),
    aggregate(derivatives, _gram, coefficients) {
      requireSameLength("near-best", derivatives, coefficients);
      let largest = 0;
      for (const value of derivatives) largest = Math.max(largest, Math.abs(value));
      const least = (1 - within) * largest;
      let chosen = 0;
      for (const value of derivatives) if (Math.abs(value) >= least) chosen++;
      for (let i = 0; i < derivatives.length; i++) {
        const value = derivatives[i] as number;
        coefficients[i] = Math.abs(value) >= least ? value / chosen : 0;
      }
    },
  };
});
