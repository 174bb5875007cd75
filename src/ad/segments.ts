/** Cuts a graph into pieces of bounded size where few bytes cross. */
import { type Graph, getValue, type Node, type Value } from "../onnx/graph.ts";
import { bytesPerElement, elementCount } from "../onnx/tensor.ts";

/**
 * The graph with its nodes in the order of the primal computation: what was derived from a primal node directly follows
 * it, instead of following the whole primal graph. Run in this order, few values are alive at once.
 *
 * @param primal the graph that `graph` was derived from
 */
export function interleave(graph: Graph, primal: Graph): Graph {
  const positionOf = new Map<string, number>();
  primal.nodes.forEach((node, index) => {
    for (const name of node.outputs) positionOf.set(name, index);
  });
  // A node's place: its own in the primal graph, or the latest among what it reads.
  const positions = graph.nodes.map((node) => {
    const inputs = node.inputs.map((name) => positionOf.get(name) ?? -1);
    const own = Math.max(-1, positionOf.get(node.outputs[0] ?? "") ?? -1, ...inputs);
    for (const name of node.outputs) if (name !== "" && !positionOf.has(name)) positionOf.set(name, own);
    return own;
  });
  // What needs nothing of the primal graph, such as a tangent's reshaping, waits for its first reader.
  const firstReader = new Map<string, number>();
  for (const [index, node] of [...graph.nodes.entries()].reverse()) {
    const earliest = Math.min(...node.outputs.map((name) => firstReader.get(name) ?? primal.nodes.length));
    if (positions[index] === -1) positions[index] = earliest;
    for (const name of node.inputs)
      firstReader.set(
        name,
        Math.min(firstReader.get(name) ?? primal.nodes.length, positions[index] as number),
      );
  }
  // What no primal node reads either, such as a bias's gradient, follows what it reads itself.
  const computedAt = new Map<string, number>();
  for (const [index, node] of graph.nodes.entries()) {
    const inputs = node.inputs.flatMap((name) => computedAt.get(name) ?? []);
    if (positions[index] === primal.nodes.length && inputs.length > 0) positions[index] = Math.max(...inputs);
    for (const name of node.outputs) computedAt.set(name, positions[index] as number);
  }
  const order = graph.nodes.map((node, index) => ({ node, index, position: positions[index] as number }));
  order.sort((a, b) => a.position - b.position || a.index - b.index);
  return { ...graph, nodes: order.map(({ node }) => node) };
}

/**
 * Cuts a graph, in the order of its nodes, into consecutive graphs. Each takes what it reads from the ones before it or
 * from the graph's inputs, and gives what later ones or the graph's outputs need. Cuts are where few bytes cross.
 *
 * @param maxBytes bytes of the values that one piece may compute, unless a single node computes more
 */
export function segmentGraph(graph: Graph, maxBytes: number): Graph[] {
  const crossing = crossingBytes(graph);
  const bounds = [0];
  let start = 0;
  while (start < graph.nodes.length) {
    let bytes = 0;
    let end = start;
    while (end < graph.nodes.length) {
      const next = bytes + outputBytes(graph, graph.nodes[end] as Node);
      if (end > start && next > maxBytes) break;
      bytes = next;
      end++;
    }
    // The narrowest place in the later half.
    let cut = end;
    for (let position = end; position > start + (end - start) / 2 && end < graph.nodes.length; position--)
      if ((crossing[position] as number) < (crossing[cut] as number)) cut = position;
    bounds.push(cut);
    start = cut;
  }
  return bounds.slice(1).map((end, index) => segment(graph, bounds[index] as number, end, index));
}

/** Bytes of the values that are alive between node i − 1 and node i, computed before and needed after. */
function crossingBytes(graph: Graph): Float64Array {
  const last = lastReaders(graph);
  const change = new Float64Array(graph.nodes.length + 2);
  graph.nodes.forEach((node, index) => {
    for (const name of node.outputs) {
      const until = last.get(name);
      if (name === "" || until === undefined || until <= index) continue;
      const bytes = valueBytes(getValue(graph, name));
      change[index + 1] = (change[index + 1] as number) + bytes;
      change[until + 1] = (change[until + 1] as number) - bytes;
    }
  });
  for (let position = 1; position < change.length; position++)
    change[position] = (change[position] as number) + (change[position - 1] as number);
  return change;
}

/** The index of the last node that reads each value; the number of nodes for graph outputs. */
function lastReaders(graph: Graph): Map<string, number> {
  const last = new Map<string, number>();
  graph.nodes.forEach((node, index) => {
    for (const name of node.inputs) last.set(name, index);
  });
  for (const { name } of graph.outputs) last.set(name, graph.nodes.length);
  return last;
}

function segment(graph: Graph, start: number, end: number, index: number): Graph {
  const nodes = graph.nodes.slice(start, end);
  const computed = new Set(nodes.flatMap((node) => node.outputs));
  const readLater = new Set(graph.nodes.slice(end).flatMap((node) => node.inputs));
  for (const { name } of graph.outputs) readLater.add(name);
  const outside = new Set(
    nodes.flatMap((node) => node.inputs).filter((name) => name !== "" && !computed.has(name)),
  );
  const initializers = new Map([...graph.initializers].filter(([name]) => outside.has(name)));
  const values = (names: Iterable<string>) => [...names].map((name) => getValue(graph, name));
  const inputs = values(outside).filter(({ name }) => !initializers.has(name));
  const outputs = values(computed).filter(({ name }) => readLater.has(name));
  const known = [...values(initializers.keys()), ...inputs, ...values([...computed].filter(Boolean))];
  return {
    ...graph,
    name: `${graph.name}/${index}`,
    inputs,
    outputs,
    nodes,
    initializers,
    parameters: [],
    values: new Map(known.map((value) => [value.name, value])),
  };
}

/**
 * The graph with names that depend only on its structure, and its own names for inputs and outputs in the same order:
 * equal layers of a deep model become equal graphs, which need to be compiled once.
 */
export function anonymize(graph: Graph): {
  readonly graph: Graph;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
} {
  const names = new Map<string, string>([["", ""]]);
  const rename = (name: string) => {
    const found = names.get(name) ?? `v${names.size}`;
    names.set(name, found);
    return found;
  };
  const nodes = graph.nodes.map((node, index) => ({
    ...node,
    name: `n${index}`,
    inputs: node.inputs.map(rename),
    outputs: node.outputs.map(rename),
  }));
  const value = ({ name, dtype, shape }: Value): Value => ({ name: rename(name), dtype, shape });
  // In the order in which nodes name them, not in that of the graph, which may differ between equal layers.
  const byName = <Item extends { readonly name: string }>(items: readonly Item[]) =>
    [...items].sort((a, b) => Number(rename(a.name).slice(1)) - Number(rename(b.name).slice(1)));
  const inputs = byName(graph.inputs);
  const outputs = byName(graph.outputs);
  const initializers = byName([...graph.initializers].map(([name, tensor]) => ({ name, tensor })));
  const renamed: Graph = {
    ...graph,
    name: "segment",
    inputs: inputs.map(value),
    outputs: outputs.map(value),
    nodes,
    initializers: new Map(initializers.map(({ name, tensor }) => [rename(name), tensor])),
    values: new Map([...graph.values.values()].map(value).map((renamed) => [renamed.name, renamed])),
  };
  return { graph: renamed, inputs: inputs.map(({ name }) => name), outputs: outputs.map(({ name }) => name) };
}

function outputBytes(graph: Graph, node: Node): number {
  return node.outputs.reduce(
    (total, name) => total + (name === "" ? 0 : valueBytes(getValue(graph, name))),
    0,
  );
}

function valueBytes({ dtype, shape }: Value): number {
  return elementCount(shape) * bytesPerElement(dtype);
}
