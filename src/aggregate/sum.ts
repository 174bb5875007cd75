import { named } from "../settings/named.ts";
import { type AggregatorRule, requireSameLength } from "./aggregator.ts";

/** c = d: the sum of k single-tangent forward gradients (Flügel et al., arXiv 2410.17764). */
export const sum = named("aggregate", "sum", {}, (): AggregatorRule => {
  return {
    usesGram: false,
    expectedGain: (_n, k) => k,
    aggregate(derivatives, _gram, coefficients) {
      requireSameLength("sum", derivatives, coefficients);
      coefficients.set(derivatives);
    },
  };
});
