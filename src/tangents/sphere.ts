import type { Sampler, SamplerOptions } from "./sampler.ts";

export interface SphereOptions extends SamplerOptions {
  /** True gives tangents of length 1, as the paper's normalized tangents, with E[v vᵀ] = I/n. Default false. */
  readonly unit?: boolean;
}

/** Uniform on the sphere of radius √n: normalized Gaussian numbers, E[v vᵀ] = I. */
export function sphere(options: SphereOptions = {}): Sampler {
  return { name: "sphere", fill: "normal", radius: options.unit ? () => 1 : Math.sqrt };
}
