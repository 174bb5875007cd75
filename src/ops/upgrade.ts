import type { Graph, Node, Value } from "../onnx/graph.ts";
import type { Tensor } from "../onnx/tensor.ts";
import { emittedOpset } from "./builder.ts";
import { opOf } from "./catalogue.ts";

/**
 * The graph in the emitted opset, each node rewritten by its op's own rule where the opset changed its form.
 *
 * @throws for the first node whose op is not supported: names node, op, domain and opset.
 */
export function upgradeGraph(graph: Graph): Graph {
  const initializers = new Map(graph.initializers);
  const values = new Map<string, Value>(graph.values);
  const constant = (tensor: Tensor) => {
    let name = "upgraded";
    for (let counter = 1; values.has(name); counter++) name = `upgraded_${counter}`;
    initializers.set(name, tensor);
    values.set(name, { name, dtype: tensor.dtype, shape: tensor.shape });
    return name;
  };
  const nodes = graph.nodes.map((node): Node => {
    const op = opOf(node, graph.opset);
    return op.upgrade ? op.upgrade(node, graph.opset, constant) : node;
  });
  return { ...graph, opset: emittedOpset, nodes, initializers, values };
}
