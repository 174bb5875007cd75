/** Where a guess is asked for, its code is loaded. */
import type { Guess } from "../../guess/guess.ts";
import type { Differentiable } from "../../objective/objective.ts";
import { type FoundGuess, findGuess, type GuessedSite } from "./guess.ts";

/** The guess of some options for k tangents at sites. @returns undefined for none @throws as `findGuess` */
export async function openGuess(
  objective: Differentiable,
  options: { readonly guess?: Guess; readonly tangents: number; readonly simulated?: boolean },
  sites: readonly GuessedSite[],
): Promise<FoundGuess | undefined> {
  const { guess } = options;
  if (!guess || guess.name === "none") return undefined;
  return findGuess(objective, { ...options, guess }, sites);
}
