import { fixedAngle } from "./fixed-angle.ts";
import { gaussian } from "./gaussian.ts";
import { lowRank } from "./low-rank.ts";
import { orthonormal } from "./orthonormal.ts";
import { rademacher } from "./rademacher.ts";
import type { Sampler, SamplerOptions } from "./sampler.ts";
import { sphere } from "./sphere.ts";
import { standardBasis } from "./standard-basis.ts";
import { varyingLength } from "./varying-length.ts";

const list = {
  gaussian,
  rademacher,
  sphere,
  "low-rank": lowRank,
  "standard-basis": standardBasis,
  orthonormal,
  "fixed-angle": fixedAngle,
  "varying-length": varyingLength,
};

export type SamplerName = keyof typeof list;

/** The samplers by name. */
export const samplers: Readonly<Record<SamplerName, (options?: SamplerOptions) => Sampler>> = list;
