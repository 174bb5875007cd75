/** Tangents of one length in uniform directions. */
import { named } from "../settings/named.ts";
import type { Given } from "../settings/option.ts";
import { type SamplerRule, unitOption } from "./sampler.ts";

/** Options of `sphere`. */
export type SphereOptions = Given<typeof unitOption>;

/**
 * Uniform on the sphere of radius √n: normalized Gaussian numbers, E[v vᵀ] = I.
 *
 * @source with `unit`, the normalized tangents of the code of Flügel et al.
 * (https://github.com/Helmholtz-AI-Energy/frog)
 */
export const sphere = named("sampler", "sphere", unitOption, ({ unit }): SamplerRule => {
  return { fill: "normal", radius: unit ? () => 1 : Math.sqrt };
});
