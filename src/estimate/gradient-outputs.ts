/** Where a graph writes the gradients that it computes. */
import type { Differentiable } from "../objective/objective.ts";
import type { Graph } from "../onnx/graph.ts";
import type { Tensors } from "../runtime/runtime.ts";
import { gradientBuffers } from "./estimator.ts";
import { type GradientOutputs, leastProduct } from "./product.ts";

/**
 * Where the gradients of a graph's outputs `gradient/<parameter>` are written.
 *
 * @param factored whether large ones that the graph multiplies last are left as products
 * @param held tensors that hold factors already, by the graph's inputs
 */
export async function gradientOutputs(
  objective: Pick<Differentiable, "parameters">,
  graph: Graph,
  factored = false,
  held: Tensors = {},
): Promise<GradientOutputs> {
  const isLarge = Object.values(objective.parameters).some(({ data }) => data.length >= leastProduct);
  // Loaded where it is of use: most models of pages are small.
  if (factored && isLarge) return (await import("./products.ts")).productOutputs(objective, graph, held);
  return { graph, ...gradientBuffers(objective) };
}
