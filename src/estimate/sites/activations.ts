/** Activation perturbation, as a choice. */
import type { Differentiable } from "../../objective/objective.ts";
import type { EstimatorDefinition, EstimatorPlan } from "../estimator.ts";
import { forwardGradient } from "../forward-gradient.ts";
import { placeSites } from "./graphs.ts";
import { type ActivationsOptions, keptSites } from "./kept.ts";

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
  return {
    dimension: placed.dimension,
    async open() {
      // Loaded where it is asked for: pages that keep tangents do without.
      const passes = options.lowMemory ? (await import("./redrawn.ts")).redrawnSites : keptSites;
      return forwardGradient(await passes(objective, options, placed));
    },
  };
}
