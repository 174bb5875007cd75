/** Tangents of matrices as products of thin factors. */
import { SettingError } from "../errors/errors.ts";
import { named } from "../settings/named.ts";
import { namedSetting } from "../settings/named-setting.ts";
import { type Given, whole } from "../settings/option.ts";
import { gaussian } from "./gaussian.ts";
import { rademacher } from "./rademacher.ts";
import { isFill, type Sampler, type SamplerRule } from "./sampler.ts";

const factorSetting = namedSetting<{ gaussian: typeof gaussian; rademacher: typeof rademacher }, Sampler>(
  "sampler.factors",
  { gaussian, rademacher },
  { help: "numbers of the factors", parts: { fill: isFill }, default: "gaussian" },
);

export const lowRankOptions = {
  /** Number of outer products that a matrix's tangent sums. */
  rank: whole(1, { help: "rank of the tangents of matrices", default: 1, flag: "tangent-rank" }),
  /** Sampler of the factors' numbers, gaussian or rademacher. */
  factors: factorSetting,
};

/** Options of `lowRank`. */
export type LowRankOptions = Given<typeof lowRankOptions>;

/**
 * Tangents of matrices as Σ_j u_j w_jᵀ/√r with independent factors: E[v vᵀ] = I still holds, for r·(rows + columns)
 * random numbers instead of rows·columns. Vectors and scalars get full tangents.
 *
 * @throws when the rank is no whole number from 1, or the factors' sampler is neither gaussian nor rademacher
 * @source this library
 */
export const lowRank = named(
  "sampler",
  "low-rank",
  lowRankOptions,
  ({ rank, factors: given }): SamplerRule => {
    const factors = factorSetting.choose(given);
    if (factors.radius || factors.rank) {
      throw new SettingError(
        `The factors of low-rank tangents must be gaussian or rademacher, received ${factors.name}.`,
        { option: "sampler.factors" },
      );
    }
    return { fill: factors.fill, rank };
  },
);
