import type { Differentiable } from "../../objective/objective.ts";
import type { EstimatorDefinition, EstimatorPlan } from "../estimator.ts";
import { forwardGradient } from "../forward-gradient.ts";
import { placeSites } from "./graphs.ts";
import { type ActivationsOptions, keptSites } from "./kept.ts";
import { redrawnSites } from "./redrawn.ts";

/** Activation perturbation: tangents at the ends of layers, for each example its own coefficients. */
export function activations({
  shareTangents = false,
}: Pick<ActivationsOptions, "shareTangents"> = {}): EstimatorDefinition {
  return {
    name: "activations",
    config: { shareTangents },
    plan: (objective, options) => planSites(objective, { ...options, shareTangents }),
  };
}

/** Finds the sites of an objective. @throws as `placeSites` */
export async function planSites(
  objective: Differentiable,
  options: ActivationsOptions,
): Promise<EstimatorPlan> {
  const placed = await placeSites(objective, options);
  const passes = options.lowMemory ? redrawnSites : keptSites;
  return {
    dimension: placed.dimension,
    open: async () => forwardGradient(await passes(objective, options, placed)),
  };
}
