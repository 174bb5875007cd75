import { type Aggregator, requireSameLength } from "./aggregator.ts";

/** c = d: the sum of k single-tangent forward gradients (Flügel et al., arXiv 2410.17764). */
export function sum(): Aggregator {
  return {
    name: "sum",
    usesGram: false,
    expectedGain: (_n, k) => k,
    aggregate(derivatives, _gram, coefficients) {
      requireSameLength("sum", derivatives, coefficients);
      coefficients.set(derivatives);
    },
  };
}
