/** The estimators that are chosen by name: a new one is one file, and one entry here; it says itself what its default rate is. */
import type { Differentiable } from "../objective/objective.ts";
import type { Estimator } from "./estimator.ts";
import { exact } from "./exact.ts";
import type { EstimatorOptions } from "./passes.ts";
import { activations, planSites } from "./sites/activations.ts";
import { blocks } from "./sites/blocks.ts";
import type { ActivationsOptions } from "./sites/kept.ts";
import { weights } from "./weights/weights.ts";

export { activations, blocks, exact, weights };

/** The estimators that inject tangents, by name: what `perturb` chooses from. */
export const perturbations = { activations, weights, blocks };

/** Estimators by name. */
export const estimators = { ...perturbations, exact };

/** Name of an estimator in `estimators`. */
export type EstimatorName = keyof typeof estimators;

/** Weight perturbation for an objective, see `weights`. */
export async function weightsEstimator(
  objective: Differentiable,
  options: EstimatorOptions,
): Promise<Estimator> {
  return (await weights().plan(objective, options)).open();
}

/**
 * Activation or block perturbation for an objective, see `activations` and `blocks`.
 *
 * @throws when a value mixes examples, a parameter has no site, or a site's values do not belong to single examples
 */
export async function activationsEstimator(
  objective: Differentiable,
  options: ActivationsOptions,
): Promise<Estimator> {
  return (await planSites(objective, options)).open();
}
