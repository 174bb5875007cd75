import { gaussian } from "./gaussian.ts";
import { lowRank } from "./low-rank.ts";
import { rademacher } from "./rademacher.ts";
import type { Sampler, SamplerOptions } from "./sampler.ts";
import { sphere } from "./sphere.ts";

const list = { gaussian, rademacher, sphere, "low-rank": lowRank };

export type SamplerName = keyof typeof list;

/** The samplers by name. */
export const samplers: Readonly<Record<SamplerName, (options?: SamplerOptions) => Sampler>> = list;
