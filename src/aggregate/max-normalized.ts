import { named } from "../settings/named.ts";
import { type AggregatorRule, requireGram, requireSameLength } from "./aggregator.ts";
import { expectedLargestSquare } from "./expected-largest-square.ts";

/**
 * c = d_i/‖v_i‖² for the tangent with the largest |d_i|/‖v_i‖, the steepest slope, and 0 for all others: the projection
 * of the gradient on the one tangent nearest to it. The first of them in a tie.
 *
 * @source the choice is that of the code of Flügel et al. (https://github.com/Helmholtz-AI-Energy/frog);
 * the coefficient is the projection's
 */
export const maxNormalized = named("aggregate", "max-normalized", {}, (): AggregatorRule => {
  return {
    usesGram: true,
    expectedGain: (n, k) => Math.min(1, expectedLargestSquare(k) / n),
    aggregate(derivatives, given, coefficients) {
      requireSameLength("max-normalized", derivatives, coefficients);
      const gram = requireGram("max-normalized", "reads the tangents' lengths from the diagonal of G", given);
      const count = derivatives.length;
      let [best, steepest, value] = [0, 0, 0];
      for (let i = 0; i < count; i++) {
        const square = gram[i * count + i] as number;
        const derivative = derivatives[i] as number;
        const slope = Math.abs(derivative) / Math.sqrt(square);
        if (square > 0 && slope > steepest) [best, steepest, value] = [i, slope, derivative / square];
      }
      coefficients.fill(0);
      if (steepest > 0) coefficients[best] = value;
    },
  };
});
