/** Where a graph writes the gradients that it computes. */
import type { Differentiable } from "../objective/objective.ts";
import type { Graph } from "../onnx/graph.ts";
import type { Tensors } from "../runtime/runtime.ts";
import { gradientBuffers } from "./estimator.ts";
import type { EstimatorOptions } from "./passes.ts";
import { type GradientOutputs, leastProduct } from "./product.ts";

/**
 * Where the gradients of a graph's outputs `gradient/<parameter>` are written.
 *
 * @param where whether all are left where the runtime computes, or large ones that the graph multiplies last as products
 * @param inputs tensors that hold factors already, by the graph's inputs
 */
export async function gradientOutputs(
  objective: Pick<Differentiable, "parameters" | "runtime">,
  graph: Graph,
  { factored, resident }: Pick<EstimatorOptions, "factored" | "resident">,
  inputs: Tensors = {},
): Promise<GradientOutputs> {
  const { residence } = objective.runtime;
  const isLarge = Object.values(objective.parameters).some(({ data }) => data.length >= leastProduct);
  // Loaded where they are of use: most models of pages are small, and on the CPU.
  if (resident && residence) return (await import("./held-set.ts")).heldOutputs(residence, objective, graph);
  if (factored && isLarge) return (await import("./products.ts")).productOutputs(objective, graph, inputs);
  return { graph, ...gradientBuffers(objective) };
}
