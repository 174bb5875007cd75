/** Weight perturbation, as a choice. */
import { guessSetting } from "../../guess/guesses.ts";
import { countParameters } from "../../objective/parameters.ts";
import { named } from "../../settings/named.ts";
import type { EstimatorRule } from "../estimator.ts";
import { forwardGradient } from "../forward-gradient.ts";

/** What tangents of weights can be asked for. */
export const weightsOptions = {
  /** What is foreseen of the gradient from earlier steps, for tangents to correct: none, or momentum. */
  guess: guessSetting,
};

/** Weight perturbation: every parameter is a site, and one set of tangents describes a whole step. */
export const weights = named("perturb", "weights", weightsOptions, (chosen): EstimatorRule => {
  const guess = guessSetting.choose(chosen.guess);
  return {
    hasGuess: guess.name !== "none",
    noise: { by: "walk", step: 0.5, length: 1.9 },
    async plan(objective, options) {
      return {
        dimension: countParameters(objective.parameters),
        async open() {
          // Loaded where it is asked for: pages do without what they do not use.
          const passes = options.lowMemory
            ? (await import("./redrawn.ts")).redrawnWeights
            : (await import("./kept.ts")).keptWeights;
          return forwardGradient(await passes(objective, { ...options, guess }));
        },
      };
    },
  };
});
