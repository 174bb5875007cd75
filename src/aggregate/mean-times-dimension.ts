import { named } from "../settings/named.ts";
import { type AggregatorRule, requireDimension, requireSameLength } from "./aggregator.ts";

/**
 * c = n d / k: the mean of tangents of length 1, for which E[v vᵀ] = I/n, without its bias towards zero.
 *
 * @source the code of Flügel et al. (https://github.com/Helmholtz-AI-Energy/frog)
 */
export const meanTimesDimension = named("aggregate", "mean-times-dimension", {}, (): AggregatorRule => {
  return {
    usesGram: false,
    expectedGain: (n) => n,
    aggregate(derivatives, _gram, coefficients, context) {
      requireSameLength("mean-times-dimension", derivatives, coefficients);
      const factor = requireDimension("mean-times-dimension", context) / derivatives.length;
      for (let i = 0; i < derivatives.length; i++) coefficients[i] = factor * (derivatives[i] as number);
    },
  };
});
