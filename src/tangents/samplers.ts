/** All samplers by name, and the default one. */
import { fixedAngle } from "./fixed-angle.ts";
import { gaussian } from "./gaussian.ts";
import { lowRank } from "./low-rank.ts";
import { orthonormal } from "./orthonormal.ts";
import { rademacher } from "./rademacher.ts";
import type { Sampler } from "./sampler.ts";
import { sphere } from "./sphere.ts";
import { standardBasis } from "./standard-basis.ts";
import { varyingLength } from "./varying-length.ts";

/** The samplers by name. */
export const samplers = {
  gaussian,
  rademacher,
  sphere,
  "low-rank": lowRank,
  "standard-basis": standardBasis,
  orthonormal,
  "fixed-angle": fixedAngle,
  "varying-length": varyingLength,
};

/** Name of a sampler in `samplers`. */
export type SamplerName = keyof typeof samplers;

/**
 * The sampler of k tangents in n dimensions where none is chosen: signs, which have the least variance of all independent
 * numbers (E‖ĝ‖² = (1 + (n − 1)/k)‖∇f‖² of the mean, n + 1 for normal numbers) and cost a fifth of normal ones; where k
 * is more than n/8, normal numbers, because n tangents of signs need not span n dimensions.
 */
export function defaultSampler(k: number, n: number): Sampler {
  return k > n / 8 ? gaussian() : rademacher();
}
