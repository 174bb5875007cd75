import type { Sampler } from "./sampler.ts";

/** Independent fair signs ±1: E[v vᵀ] = I, and ‖v‖ = √n always. */
export function rademacher(): Sampler {
  return { name: "rademacher", fill: "rademacher" };
}
