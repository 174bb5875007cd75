/** Coefficients of tangents of slices: each granule's are those of its own slice, as if that were all there is. */
import type { Aggregator } from "../../aggregate/aggregator.ts";
import type { Sampler } from "../../tangents/sampler.ts";
import type { Granule } from "./slices.ts";

/** A granule that was measured or not, and what it perturbed. */
export interface SlicedGranule extends Granule {
  /** Numbers in its slice. */
  readonly dimension: number;
  /** Whether its derivatives are there. */
  readonly isCounted: boolean;
}

/**
 * An aggregator of tangents of which each granule perturbs another slice. The products of two granules' tangents are 0, so G is
 * block-diagonal, and coefficients of a block follow from its own d and G. Each block is brought to the gain of all k tangents in n
 * dimensions, so that a step is as long as one of tangents of all parameters; where granules are missing, the others are longer by as many,
 * and all slices get as much on average, because each is everybody's in turn.
 *
 * @param granulesNow the granules of the step at hand
 */
export function bySlices(
  aggregator: Aggregator,
  sampler: Pick<Sampler, "radius">,
  granulesNow: () => readonly SlicedGranule[],
): Aggregator {
  // Aggregators that read G divide by the tangents' lengths.
  const square = (n: number) => (aggregator.usesGram || !sampler.radius ? 1 : sampler.radius(n) ** 2 / n);
  const gain = (n: number, k: number) => aggregator.expectedGain(n, k) * square(n);
  return {
    ...aggregator,
    aggregate(derivatives, gram, coefficients, context) {
      const k = derivatives.length;
      const granules = granulesNow();
      const n = granules.reduce((sum, { dimension }) => sum + dimension, 0);
      const counted = granules.filter(({ isCounted }) => isCounted);
      coefficients.fill(0);
      for (const { first, count, dimension } of counted) {
        const own = new Float64Array(count);
        aggregator.aggregate(
          derivatives.slice(first, first + count),
          gram && blockOf(gram, k, first, count),
          own,
          { ...context, dimension },
        );
        const scale = ((granules.length / counted.length) * gain(n, k)) / gain(dimension, count);
        for (const [index, value] of own.entries()) coefficients[first + index] = scale * value;
      }
    },
  };
}

/** The products of tangents first … first + count − 1 with each other: [k, k] → [count, count]. */
function blockOf(gram: Float64Array, k: number, first: number, count: number): Float64Array {
  return Float64Array.from({ length: count * count }, (_, index) => {
    const row = first + Math.floor(index / count);
    return gram[row * k + first + (index % count)] as number;
  });
}
