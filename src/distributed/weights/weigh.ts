/** Derivatives of a batch from those of its parts. */
import type { Measured } from "./granule.ts";
import type { Granule } from "./slices.ts";

/** What a dual pass says of one granule and one part of the batch. */
export interface WeighedPart extends Measured {
  /** How many of the part's losses count. */
  readonly weight: number;
}

/** What a source says of one step. */
export interface MeasuredStep {
  /** f = mean ℓ_b over the batch. */
  readonly loss: number;
  /** d, [k]; anything where a granule does not count. */
  readonly derivatives: Float64Array;
  /** Which granules count. */
  readonly counted: readonly boolean[];
}

/**
 * f = Σ_j (n_j / Σ n) f_j over the parts of a batch, and so are its derivatives; n_j is how many losses of part j count. Sums are in float64, in
 * the order of the parts.
 *
 * @param answers all granules of the first part, then those of the next; undefined where one is missing: that granule does not count
 */
export function weigh(
  granules: readonly Granule[],
  answers: readonly (WeighedPart | undefined)[],
): MeasuredStep {
  const derivatives = new Float64Array(granules.reduce((sum, { count }) => sum + count, 0));
  let loss = Number.NaN;
  const counted = granules.map(({ first, count }, index) => {
    const parts = answers.filter((_, at) => at % granules.length === index);
    const there = parts.filter((part) => part !== undefined);
    if (there.length < parts.length) return false;
    // Where nothing counts, all sums are 0.
    const total = there.reduce((sum, { weight }) => sum + weight, 0) || 1;
    const mean = (of: (part: WeighedPart) => number) =>
      there.length === 1
        ? of(there[0] as WeighedPart)
        : there.reduce((sum, each) => sum + each.weight * of(each), 0) / total;
    for (let at = 0; at < count; at++)
      derivatives[first + at] = mean((part) => part.derivatives[at] as number);
    if (Number.isNaN(loss)) loss = mean((part) => part.loss);
    return true;
  });
  return { loss, derivatives, counted };
}
