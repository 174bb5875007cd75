/** Tangents of random signs. */
import { named } from "../settings/named.ts";
import type { SamplerRule } from "./sampler.ts";

/**
 * Independent fair signs ±1: E[v vᵀ] = I, and ‖v‖ = √n always.
 *
 * @source this library; signs are usual in simultaneous perturbation (Spall, IEEE Trans. Automatic Control 37, 1992)
 */
export const rademacher = named("sampler", "rademacher", {}, (): SamplerRule => {
  return { fill: "rademacher" };
});
