/** Which of two orders of the same function costs its derivative less. */
import { consumers, type Graph, getValue, type Node } from "../onnx/graph.ts";

/**
 * The graph with a ReLU behind the pool that alone reads it: max relu(x) = relu(max x), and the derivative is that of the same
 * position wherever it is not 0, but what a ReLU lets through is then asked for each window instead of each position.
 */
export function lateRelus(graph: Graph): Graph {
  const readers = consumers(graph);
  const results = new Set(graph.outputs.map(({ name }) => name));
  const values = new Map(graph.values);
  /** The ReLU in front of each pool that takes its turn. */
  const before = new Map<Node, Node>();
  for (const relu of graph.nodes) {
    const [name = ""] = relu.outputs;
    const [pool, ...others] = readers.get(name) ?? [];
    const isPool = pool?.op === "MaxPool" && pool.domain === "" && pool.outputs.length === 1;
    if (relu.op === "Relu" && isPool && others.length === 0 && !results.has(name)) before.set(pool, relu);
  }
  const moved = new Set(before.values());
  const nodes = graph.nodes.flatMap((node) => {
    const relu = before.get(node);
    if (!relu) return moved.has(node) ? [] : [node];
    // The ReLU's value makes room for the pool's of what the ReLU read.
    const [pooled = ""] = relu.outputs;
    values.set(pooled, { ...getValue(graph, node.outputs[0] ?? ""), name: pooled });
    return [
      { ...node, inputs: relu.inputs, outputs: [pooled] },
      { ...relu, inputs: [pooled], outputs: node.outputs },
    ];
  });
  return { ...graph, nodes, values };
}
