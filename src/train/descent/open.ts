import type { EstimatorPlan } from "../../estimate/estimator.ts";
import type { Differentiable } from "../../objective/objective.ts";
import type { Optimizer } from "../../optim/optimizer.ts";
import { type EstimatorSettings, planEstimator, resolveEstimator } from "../settings/estimator.ts";
import { type Descent, plainDescent } from "./descent.ts";

/**
 * Steps of one's own loop, as `train` takes them: plain descent is part of the products that make large gradients, and momentum, Adam and
 * AdamW run in a WebAssembly kernel. A step is `estimator.estimate`, then `step` with its gradients.
 *
 * @throws as `createEstimator` does
 * @example
 * const descent = await createDescent(objective, { tangents: 16 }, sgd());
 * const { gradients } = await descent.estimator.estimate(feeds, fold(key, 1));
 * await descent.step(parameters, gradients, {}, 0.1);
 */
export async function createDescent(
  objective: Differentiable,
  settings: EstimatorSettings,
  optimizer: Optimizer,
): Promise<Descent> {
  const factored = optimizer.isPlain === true;
  return openDescent(
    objective,
    await planEstimator(objective, resolveEstimator(settings), { factored }),
    optimizer,
  );
}

/**
 * Opens an estimator, and what moves the parameters against its estimates.
 *
 * @param plan one that leaves products only where the optimizer is plain
 */
export async function openDescent(
  objective: Differentiable,
  plan: EstimatorPlan,
  optimizer: Optimizer,
): Promise<Descent> {
  const estimator = await plan.open();
  try {
    // Loaded where parameters stay on a device.
    if (estimator.held)
      return await (await import("./in-products.ts")).heldDescent(objective, estimator, optimizer);
    if (!estimator.products) return plainDescent(estimator, await fastest(optimizer));
    // Loaded where there are large matrices.
    const { descentInProducts } = await import("./in-products.ts");
    return await descentInProducts(objective, estimator, estimator.products, optimizer);
  } catch (error) {
    await estimator.release();
    throw error;
  }
}

/** The same optimizer in the WebAssembly kernel, which is loaded where it has more to do than plain descent. */
export async function fastest(optimizer: Optimizer): Promise<Optimizer> {
  if (!optimizer.rule || optimizer.isPlain) return optimizer;
  const { inKernel } = await import("../../optim/in-kernel.ts");
  return inKernel(optimizer);
}
