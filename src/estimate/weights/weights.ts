import { countParameters } from "../../objective/parameters.ts";
import type { EstimatorDefinition } from "../estimator.ts";
import { forwardGradient } from "../forward-gradient.ts";
import { keptWeights } from "./kept.ts";
import { redrawnWeights } from "./redrawn.ts";

/** Weight perturbation: every parameter is a site, and one set of tangents describes a whole step. */
export function weights(): EstimatorDefinition {
  return {
    name: "weights",
    async plan(objective, options) {
      const passes = options.lowMemory ? redrawnWeights : keptWeights;
      return {
        dimension: countParameters(objective.parameters),
        open: async () => forwardGradient(await passes(objective, options)),
      };
    },
  };
}
