import { named } from "../settings/named.ts";
import { type AggregatorRule, requireSameLength } from "./aggregator.ts";
import { expectedLargestSquare } from "./expected-largest-square.ts";

/**
 * c = d_i for the tangent with the largest |d_i|, the first of them in a tie, and 0 for all others: the best of k.
 *
 * @source the code of Flügel et al. (https://github.com/Helmholtz-AI-Energy/frog)
 */
export const max = named("aggregate", "max", {}, (): AggregatorRule => {
  return {
    usesGram: false,
    expectedGain: (_n, k) => expectedLargestSquare(k),
    aggregate(derivatives, _gram, coefficients) {
      requireSameLength("max", derivatives, coefficients);
      let best = 0;
      for (let i = 1; i < derivatives.length; i++)
        if (Math.abs(derivatives[i] as number) > Math.abs(derivatives[best] as number)) best = i;
      const value = derivatives[best] as number;
      coefficients.fill(0);
      coefficients[best] = value;
    },
  };
});
