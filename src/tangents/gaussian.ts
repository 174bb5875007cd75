import type { Sampler } from "./sampler.ts";

/** Independent standard normal numbers: v ~ N(0, I), E[v vᵀ] = I (Baydin et al., arXiv 2202.08587). */
export function gaussian(): Sampler {
  return { name: "gaussian", fill: "normal" };
}
