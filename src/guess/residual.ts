/** Residual: the gradient at the last block's input, passed down the residual stream. */
import { named } from "../settings/named.ts";
import { type Given, number } from "../settings/option.ts";
import type { GuessRule, SiteGuess } from "./guess.ts";

export const residualOptions = {
  /** γ: how much of what tangents measure is added to the guess, from 0 to 1. 1: no bias; 0: no tangents. */
  gamma: number({ from: 0, to: 1 }, { help: "how much of the tangents' correction is added", default: 0 }),
};

/** Options of `residual`. */
export type ResidualOptions = Given<typeof residualOptions>;

/**
 * m = e at each site of the residual stream, where e is the exact gradient at the input of the last residual block: the local
 * transpose of that block carries it there. Where blocks compute x + f(x), the gradient at x is that at x + f(x), passed on
 * unchanged by the sum, and a part through f, which this guess leaves out. Where blocks normalize their sums, e is passed on through the
 * normalizations' transposes. At sites that the stream does not pass, m = 0.
 *
 * With γ = 0, the default, nothing corrects it: no tangents are drawn and each block learns from e alone, which is a local
 * method and no forward gradient. With γ = 1 the estimate has no bias; its noise is that of tangents for what e leaves out.
 *
 * @throws SettingError when γ is no number from 0 to 1
 */
export const residual = named(
  "guess",
  "residual",
  residualOptions,
  ({ gamma }): GuessRule => ({ gamma, sites: residualAtSites }),
);

const residualAtSites: SiteGuess = {
  signal: "residual stream",
  // m = e
  emitGuess: (_, gradient, __, { isSummed }) => (isSummed ? gradient : undefined),
};
