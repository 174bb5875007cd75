/** In which order a graph's results are written down, which is how an engine goes about computing them. */
import { type Graph, type Node, producers } from "../onnx/graph.ts";

/**
 * The graph with the nodes of its results at the end, those that need most of the other nodes first. ONNX Runtime computes what the
 * last node needs, then what the one before it needs further, and so on: this way each gradient is computed when its cotangent is
 * there, still in the processor's cache, and the cotangent is freed at once, instead of after the way back to the first layer.
 */
export function earlyResults(graph: Graph): Graph {
  const nodes = withoutCopies(graph);
  const read = new Set(nodes.flatMap(({ inputs }) => inputs));
  const isLeaf = ({ outputs }: Node) => outputs.every((name) => !read.has(name));
  // The position of the last node that a value needs.
  const needed = new Map<string, number>();
  const leaves: { readonly node: Node; readonly last: number }[] = [];
  nodes.forEach((node, position) => {
    const last = Math.max(-1, ...node.inputs.map((name) => needed.get(name) ?? -1));
    if (isLeaf(node)) leaves.push({ node, last });
    for (const name of node.outputs) needed.set(name, position);
  });
  leaves.sort((a, b) => b.last - a.last);
  return { ...graph, nodes: [...nodes.filter((node) => !isLeaf(node)), ...leaves.map(({ node }) => node)] };
}

/** The nodes without those that copy a computed value to a result: it has the result's name from the start. */
function withoutCopies({ nodes, outputs }: Graph): readonly Node[] {
  const results = new Set(outputs.map(({ name }) => name));
  const made = producers({ nodes });
  const names = new Map<string, string>();
  const kept = nodes.filter(({ op, domain, inputs: [from = ""], outputs: [to = ""] }) => {
    const isCopy = op === "Identity" && domain === "" && results.has(to);
    if (!isCopy || !made.has(from) || results.has(from) || names.has(from)) return true;
    names.set(from, to);
    return false;
  });
  const rename = (name: string) => names.get(name) ?? name;
  return kept.map((node) => ({
    ...node,
    inputs: node.inputs.map(rename),
    outputs: node.outputs.map(rename),
  }));
}
