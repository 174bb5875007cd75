import { type Aggregator, requireSameLength } from "./aggregator.ts";

/** c = d: the sum of k single-tangent forward gradients (Flügel et al., arXiv 2410.17764). */
export const sum: Aggregator = {
  name: "sum",
  usesGram: false,
  aggregate(derivatives, _gram, coefficients) {
    requireSameLength("sum", derivatives, coefficients);
    coefficients.set(derivatives);
  },
};
