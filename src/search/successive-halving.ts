/** Successive halving: short trials of many rates, longer ones of the best. */
import { SettingError } from "../errors/errors.ts";
import { option, words } from "../errors/words.ts";
/** One round of successive halving: so many candidates, each trained for so many steps. */
export interface Rung {
  /** Learning rates that are tried. */
  readonly candidates: number;
  /** Steps of each of their runs. */
  readonly steps: number;
}

/**
 * Plans successive halving (Jamieson and Talwalkar, arXiv 1502.07943): one candidate in `reduction` goes on from a rung to
 * the next, where it is trained anew for `reduction` times the steps; the last rung has the full length. The first rung
 * has as many candidates as the budget of evaluations allows.
 *
 * @param steps of the last rung
 * @throws when the budget does not reach from the first rung to the last
 */
export function planHalving(options: {
  readonly evaluations: number;
  readonly rungs: number;
  readonly reduction: number;
  readonly steps: number;
}): Rung[] {
  const { evaluations, rungs, reduction, steps } = options;
  const counts = (first: number) =>
    Array.from({ length: rungs }, (_, rung) => Math.ceil(first / reduction ** rung));
  const total = (first: number) => counts(first).reduce((sum, count) => sum + count, 0);
  if (total(2) > evaluations) {
    throw new SettingError(
      words`A search with ${rungs} rungs needs at least ${total(2)} evaluations, received ${evaluations}; allow more
        (${option("evaluations")}), or take fewer rungs (${option("rungs")}).`,
      { option: "evaluations" },
    );
  }
  let first = 2;
  while (total(first + 1) <= evaluations) first++;
  return counts(first).map((candidates, rung) => ({
    candidates,
    steps: Math.max(1, Math.round(steps / reduction ** (rungs - 1 - rung))),
  }));
}

/**
 * Numbers between two limits whose logarithms are uniform, one in each of equal parts, in ascending order.
 *
 * @param uniform numbers in [0, 1), one for each
 */
export function logUniform(lowest: number, highest: number, uniform: ArrayLike<number>): number[] {
  return Array.from(
    { length: uniform.length },
    (_, part) => lowest * (highest / lowest) ** ((part + (uniform[part] as number)) / uniform.length),
  );
}

/** A candidate and what it was judged by: smaller is better, infinite or no number is worst. */
export interface Scored {
  readonly candidate: number;
  readonly score: number;
}

/** The candidates from best to worst; equals keep their order. */
export function ranked(scored: readonly Scored[]): Scored[] {
  const rank = ({ score }: Scored) => (Number.isNaN(score) ? Number.POSITIVE_INFINITY : score);
  // Infinities are equal: their difference is no number.
  return [...scored].sort((a, b) => (rank(a) === rank(b) ? 0 : rank(a) < rank(b) ? -1 : 1));
}
