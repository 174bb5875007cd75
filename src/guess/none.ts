/** No guess: each estimate starts from nothing. */
import { named } from "../settings/named.ts";
import type { GuessRule } from "./guess.ts";

/** m = 0: what is estimated is what the tangents of one step measure (Flügel et al., arXiv 2410.17764). */
export const none = named("guess", "none", {}, (): GuessRule => ({ gamma: 1 }));
