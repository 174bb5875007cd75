import { SettingError } from "../errors/errors.ts";
import { type Aggregator, type AggregatorOptions, requireSameLength } from "./aggregator.ts";
import { expectedLargestSquare } from "./expected-largest-square.ts";

/**
 * The mean over the tangents that are nearly as good as the best: c_i = d_i/m for the m tangents with
 * |d_i| ≥ (1 − within)·max |d|, and 0 for the others. With `within` 0 it is the best tangent (the mean of them in a tie),
 * with 1 the mean of all.
 *
 * @throws when `within` is not from 0 to 1
 * @source this library, after the mean of the best tangents in the code of Flügel et al.
 * (https://github.com/Helmholtz-AI-Energy/frog)
 */
export function nearBest(options: AggregatorOptions = {}): Aggregator {
  const within = options.within ?? 0.2;
  if (!(within >= 0 && within <= 1)) {
    throw new SettingError(`The near-best aggregator's \`within\` must be from 0 to 1, received ${within}.`, {
      option: "within",
    });
  }
  return {
    name: "near-best",
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
}
