import { SettingError } from "../errors/errors.ts";
import { gaussian } from "./gaussian.ts";
import type { Sampler, SamplerOptions } from "./sampler.ts";

/** Options of `lowRank`. */
export interface LowRankOptions extends SamplerOptions {
  /** Sampler of the factors' numbers. Default gaussian. */
  readonly factors?: Sampler;
}

/**
 * Tangents of matrices as Σ_j u_j w_jᵀ/√r with independent factors: E[v vᵀ] = I still holds, for r·(rows + columns)
 * random numbers instead of rows·columns. Vectors and scalars get full tangents.
 *
 * @throws when the rank is no whole number from 1, or the factors' sampler is neither gaussian nor rademacher
 * @source this library
 */
export function lowRank(options: LowRankOptions = {}): Sampler {
  const rank = options.rank ?? 1;
  if (!Number.isInteger(rank) || rank < 1) {
    throw new SettingError(`The rank of low-rank tangents must be a whole number from 1, received ${rank}.`, {
      option: "rank",
    });
  }
  const factors = options.factors ?? gaussian();
  if (factors.radius || factors.rank) {
    throw new SettingError(
      `The factors of low-rank tangents must be gaussian or rademacher, received ${factors.name}.`,
      { option: "factors" },
    );
  }
  return { name: "low-rank", fill: factors.fill, rank };
}
