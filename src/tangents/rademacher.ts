import type { Sampler } from "./sampler.ts";

/**
 * Independent fair signs ±1: E[v vᵀ] = I, and ‖v‖ = √n always.
 *
 * @source this library; signs are usual in simultaneous perturbation (Spall, IEEE Trans. Automatic Control 37, 1992)
 */
export function rademacher(): Sampler {
  return { name: "rademacher", fill: "rademacher" };
}
