import type { EstimatorPlan } from "../../estimate/estimator.ts";
import type { Differentiable } from "../../objective/objective.ts";
import type { Optimizer } from "../../optim/optimizer.ts";
import { type Descent, plainDescent } from "./descent.ts";

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
async function fastest(optimizer: Optimizer): Promise<Optimizer> {
  if (!optimizer.rule || optimizer.isPlain) return optimizer;
  const { inKernel } = await import("../../optim/in-kernel.ts");
  return inKernel(optimizer);
}
