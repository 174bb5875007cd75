import type { Sampler, SamplerOptions } from "./sampler.ts";

/** Options of `sphere`. */
export interface SphereOptions extends SamplerOptions {
  /** True gives tangents of length 1, as the paper's normalized tangents, with E[v vᵀ] = I/n. Default false. */
  readonly unit?: boolean;
}

/**
 * Uniform on the sphere of radius √n: normalized Gaussian numbers, E[v vᵀ] = I.
 *
 * @source with `unit`, the normalized tangents of the code of Flügel et al.
 * (https://github.com/Helmholtz-AI-Energy/frog)
 */
export function sphere(options: SphereOptions = {}): Sampler {
  return { name: "sphere", fill: "normal", radius: options.unit ? () => 1 : Math.sqrt };
}
