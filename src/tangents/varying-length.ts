/** Tangents of unlike lengths. */
import { uniform64 } from "../random/uniform.ts";
import { named } from "../settings/named.ts";
import { scale } from "./pieces.ts";
import type { SamplerRule } from "./sampler.ts";

/**
 * Uniform directions whose lengths are uniform from 0 to √(3n): E[v vᵀ] = I, because the mean square of such a length is
 * n. They show how an aggregator copes with tangents of unlike length.
 *
 * @source this library
 */
export const varyingLength = named("sampler", "varying-length", {}, (): SamplerRule => {
  return {
    fill: "normal",
    radius: Math.sqrt,
    exactGram: true,
    arrange(tangents, key) {
      const units = uniform64(key, tangents.length);
      for (const [index, tangent] of tangents.entries())
        scale(tangent, Math.sqrt(3) * (units[index] as number));
    },
  };
});
