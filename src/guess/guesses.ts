/** The guesses that are chosen by name: a new one is one file, and one entry here. */
import { SettingError } from "../errors/errors.ts";
import { option, words } from "../errors/words.ts";
import { shown } from "../settings/check.ts";
import { isFunction, namedSetting } from "../settings/named-setting.ts";
import { oneOf } from "../settings/option.ts";
import { feedback } from "./feedback.ts";
import { type Guess, guessSignals } from "./guess.ts";
import { momentum } from "./momentum.ts";
import { none } from "./none.ts";
import { residual } from "./residual.ts";

/** The guesses by name. */
export const guesses = { none, feedback, residual, momentum };

/** Name of a guess in `guesses`. */
export type GuessName = keyof typeof guesses;

const named = namedSetting<typeof guesses, Guess>("guess", guesses, {
  help: "what is foreseen of the gradient, for tangents to correct",
  parts: { gamma: (gamma) => typeof gamma === "number" && gamma >= 0 && gamma <= 1 },
  default: "none",
});

/** What an estimator is asked for: one of the guesses, or one of the user's own, whose parts are checked. */
export const guessSetting: typeof named = {
  ...named,
  accepts: (value): value is Guess => requireParts(named.choose(value)) !== undefined,
  choose: (value) => requireParts(named.choose(value)),
};

/** The same where a run has a default of its own, and a single estimate has none. */
export const openGuessSetting: Omit<typeof guessSetting, "default"> & { readonly default: undefined } = {
  ...guessSetting,
  default: undefined,
  otherwise: "feedback in runs where it applies, or else none",
};

/** @throws SettingError for a guess of the user's own that lacks a function, or reads what there is not */
function requireParts(guess: Guess): Guess {
  const { name, sites, weights } = guess;
  if (Object.hasOwn(guesses, name)) return guess;
  const needs = (part: string, expected: string) =>
    new SettingError(words`${option("guess", name)} needs ${part}: ${expected}.`, { option: "guess" });
  if (!sites && !weights)
    throw needs(
      "sites or weights",
      "what it foresees at sites, or of parameters (SiteGuess, ParameterGuess)",
    );
  if (sites) {
    const { signal } = sites;
    if (typeof signal !== "function" && !guessSignals.includes(signal))
      throw needs("sites.signal", `${oneOf(guessSignals)}, or a function; received ${shown(signal)}`);
    for (const part of ["emitGuess", "emitStep", "memory", "learned"] as const)
      if (!isFunction(sites[part]) && (part === "emitGuess" || sites[part] !== undefined))
        throw needs(`sites.${part}`, "a function");
  }
  for (const part of weights ? (["memory", "guess", "learn"] as const) : [])
    if (!isFunction(weights?.[part])) throw needs(`weights.${part}`, "a function");
  return guess;
}
