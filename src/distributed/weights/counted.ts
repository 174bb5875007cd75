/** Coefficients where some tangents were not measured: those that were count for all. */
import type { Aggregator } from "../../aggregate/aggregator.ts";

/**
 * An aggregator of the tangents that count: theirs are d and the part of G that is between them, all others get c = 0, and the
 * estimate is brought to the gain of all k, so that a step is as long on average whoever was late.
 *
 * @param isCounted whether a tangent was measured, by its number
 */
export function ofThoseCounted(aggregator: Aggregator, isCounted: (tangent: number) => boolean): Aggregator {
  return {
    ...aggregator,
    expectedGain: (n, k) => aggregator.expectedGain(n, k),
    aggregate(derivatives, gram, coefficients, context) {
      const k = derivatives.length;
      const counted = Array.from({ length: k }, (_, tangent) => tangent).filter(isCounted);
      const few = counted.length;
      if (few === k) return aggregator.aggregate(derivatives, gram, coefficients, context);
      coefficients.fill(0);
      if (few === 0) return;
      const own = {
        derivatives: Float64Array.from(counted, (tangent) => derivatives[tangent] as number),
        gram:
          gram &&
          Float64Array.from(
            counted.flatMap((row) => counted.map((column) => gram[row * k + column] as number)),
          ),
        coefficients: new Float64Array(few),
      };
      aggregator.aggregate(own.derivatives, own.gram, own.coefficients, context);
      const dimension = context?.dimension ?? few;
      const scale = aggregator.expectedGain(dimension, k) / aggregator.expectedGain(dimension, few);
      for (const [index, tangent] of counted.entries())
        coefficients[tangent] = scale * (own.coefficients[index] as number);
    },
  };
}
