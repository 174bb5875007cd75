/** Tangents along the axes. */
import { drawDistinct } from "../random/permutation.ts";
import { fold } from "../random/threefry.ts";
import { named } from "../settings/named.ts";
import type { Given } from "../settings/option.ts";
import { dimensionOf } from "./pieces.ts";
import { type SamplerRule, unitOption } from "./sampler.ts";

/** Options of `standardBasis`. */
export type StandardBasisOptions = Given<typeof unitOption>;

/**
 * Unit vectors e_i times √n, drawn without replacement: E[v vᵀ] = I, and n of them are all directions, so that mean and
 * projection are then exact. Beyond n, the next n are drawn in the same way.
 *
 * @source this library
 */
export const standardBasis = named("sampler", "standard-basis", unitOption, ({ unit }): SamplerRule => {
  const radius = unit ? () => 1 : Math.sqrt;
  return {
    fill: (_key, _start, out) => void out.fill(0),
    radius,
    arrange(tangents, key) {
      const dimension = dimensionOf(tangents[0] ?? []);
      for (let block = 0; block * dimension < tangents.length; block++) {
        const rows = tangents.slice(block * dimension, (block + 1) * dimension);
        const chosen = drawDistinct(fold(key, block), rows.length, dimension);
        for (const [row, tangent] of rows.entries()) {
          let index = chosen[row] as number;
          for (const piece of tangent) {
            if (index >= 0 && index < piece.length) piece[index] = radius(dimension);
            index -= piece.length;
          }
        }
      }
    },
  };
});
