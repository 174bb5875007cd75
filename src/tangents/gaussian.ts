/** Tangents of normal numbers. */
import { named } from "../settings/named.ts";
import type { SamplerRule } from "./sampler.ts";

/** Independent standard normal numbers: v ~ N(0, I), E[v vᵀ] = I (Baydin et al., arXiv 2202.08587). */
export const gaussian = named("sampler", "gaussian", {}, (): SamplerRule => {
  return { fill: "normal" };
});
