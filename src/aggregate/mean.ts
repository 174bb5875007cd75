import { named } from "../settings/named.ts";
import { type AggregatorRule, requireSameLength } from "./aggregator.ts";

/** c = d / k: the mean of k single-tangent forward gradients (Flügel et al., arXiv 2410.17764). */
export const mean = named("aggregate", "mean", {}, (): AggregatorRule => {
  return {
    usesGram: false,
    expectedGain: () => 1,
    aggregate(derivatives, _gram, coefficients) {
      requireSameLength("mean", derivatives, coefficients);
      const count = derivatives.length;
      for (let i = 0; i < count; i++) coefficients[i] = (derivatives[i] as number) / count;
    },
  };
});
