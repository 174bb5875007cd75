/** The guesses that are chosen by name: a new one is one file, and one entry here. */
import { namedSetting } from "../settings/named-setting.ts";
import { feedback } from "./feedback.ts";
import type { Guess } from "./guess.ts";
import { momentum } from "./momentum.ts";
import { none } from "./none.ts";
import { residual } from "./residual.ts";

/** The guesses by name. */
export const guesses = { none, feedback, residual, momentum };

/** Name of a guess in `guesses`. */
export type GuessName = keyof typeof guesses;

/** What an estimator is asked for: one of the guesses, or one of the user's own. */
export const guessSetting = namedSetting<typeof guesses, Guess>("guess", guesses, {
  help: "what is foreseen of the gradient, for tangents to correct",
  parts: { gamma: (gamma) => typeof gamma === "number" && gamma >= 0 && gamma <= 1 },
  default: "none",
});

/** The same where a run has a default of its own, and a single estimate has none. */
export const openGuessSetting: Omit<typeof guessSetting, "default"> & { readonly default: undefined } = {
  ...guessSetting,
  default: undefined,
  otherwise: "feedback in runs where it applies, or else none",
};
