/** Weight perturbation, as a choice. */
import { countParameters } from "../../objective/parameters.ts";
import { named } from "../../settings/named.ts";
import type { EstimatorRule } from "../estimator.ts";
import { forwardGradient } from "../forward-gradient.ts";

/** Weight perturbation: every parameter is a site, and one set of tangents describes a whole step. */
export const weights = named(
  "perturb",
  "weights",
  {},
  (): EstimatorRule => ({
    noise: { by: "walk", step: 0.5, length: 1.9 },
    async plan(objective, options) {
      return {
        dimension: countParameters(objective.parameters),
        async open() {
          // Loaded where it is asked for: pages do without what they do not use.
          const passes = options.lowMemory
            ? (await import("./redrawn.ts")).redrawnWeights
            : (await import("./kept.ts")).keptWeights;
          return forwardGradient(await passes(objective, options));
        },
      };
    },
  }),
);
