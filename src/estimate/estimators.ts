import type { Differentiable } from "../objective/objective.ts";
import type { Estimator } from "./estimator.ts";
import { forwardGradient } from "./forward-gradient.ts";
import type { EstimatorOptions } from "./passes.ts";
import { type ActivationsOptions, keptSites } from "./sites/kept.ts";
import { redrawnSites } from "./sites/redrawn.ts";
import { keptWeights } from "./weights/kept.ts";
import { redrawnWeights } from "./weights/redrawn.ts";

/** Weight perturbation: tangents of all parameters, see `keptWeights`. */
export async function weightsEstimator(
  objective: Differentiable,
  options: EstimatorOptions,
): Promise<Estimator> {
  return forwardGradient(await keptWeights(objective, options));
}

/** Weight perturbation that draws tangents again instead of keeping them, see `redrawnWeights`. */
export async function lowMemoryWeightsEstimator(
  objective: Differentiable,
  options: EstimatorOptions,
): Promise<Estimator> {
  return forwardGradient(await redrawnWeights(objective, options));
}

/** Activation and block perturbation: tangents at sites, for each example its own coefficients, see `keptSites`. */
export async function activationsEstimator(
  objective: Differentiable,
  options: ActivationsOptions,
): Promise<Estimator> {
  return forwardGradient(await keptSites(objective, options));
}

/** Activation and block perturbation layer by layer, which keeps neither activations nor tangents, see `redrawnSites`. */
export async function lowMemoryActivationsEstimator(
  objective: Differentiable,
  options: ActivationsOptions,
): Promise<Estimator> {
  return forwardGradient(await redrawnSites(objective, options));
}
