/** Errors of guesses that do not fit an objective. */
import { ModelError, SettingError } from "../../errors/errors.ts";
import { option, words } from "../../errors/words.ts";
import type { Guess } from "../../guess/guess.ts";

/** Of a guess for other tangents than those at sites. */
export function noSites({ name }: Guess): SettingError {
  return new SettingError(
    words`${option("guess", name)} is no guess for activations and blocks; choose another, perturb what it is for
      (${option("perturb", "weights")}), or leave it out.`,
    { option: "guess" },
  );
}

/** Of a guess that would remember more numbers than are allowed. */
export function tooLarge({ name }: Guess, numbers: number, most: number): SettingError {
  return new SettingError(
    words`${option("guess", name)} would remember ${numbers.toLocaleString("en")} numbers, the signal's for each number at the
      sites, and ${most.toLocaleString("en")} are the most; choose ${option("perturb", "blocks")} with a pattern that
      finds fewer and smaller blocks, or another guess.`,
    { option: "guess" },
  );
}

/** Of a guess that reads logits where there are none, or none of single examples. */
export function noLogits({ name }: Guess, logits: string | undefined): ModelError {
  const why =
    logits === undefined ? "a closed-form function has none" : `the values of '${logits}' mix several`;
  return new ModelError(
    words`${option("guess", name)} needs logits that belong to single examples, and ${why}; leave it out.`,
  );
}
