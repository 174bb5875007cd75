/** The guesses that are chosen by name: a new one is one file, and one entry here. */
import { feedback } from "./feedback.ts";
import { none } from "./none.ts";

/** The guesses by name. */
export const guesses = { none, feedback };

/** Name of a guess in `guesses`. */
export type GuessName = keyof typeof guesses;
