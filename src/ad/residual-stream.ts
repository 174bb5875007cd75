/** The residual stream of a graph: the values that sums carry on from block to block. */
import { consumers, dependents, type Graph, getValue, type Node, producers } from "../onnx/graph.ts";

/** A residual stream up to the input of its last block. */
export interface ResidualStream {
  /** What the last residual block reads and adds to. */
  readonly lastInput: string;
  /** All values whose numbers reach it by sums alone, itself included. */
  readonly values: ReadonlySet<string>;
  /** Further values of its shape that reach it without a product: through the normalizations behind the sums, for instance. */
  readonly carried: ReadonlySet<string>;
}

/** Ops that hand a stream on; of a ReLU, what it lets through. */
const carriers = new Set(["Identity", "Relu"]);

/**
 * Finds the last of some values that a residual sum adds something to which was computed from it, x + f(x), and what its
 * numbers come from by sums alone. Of f, the gradient at x + f(x) says nothing, but through the sum it reaches x unchanged.
 *
 * @param candidates names of values, in the graph's order
 * @returns undefined where there is no such sum, or none of the candidates before it reaches it
 */
export function residualStream(graph: Graph, candidates: readonly string[]): ResidualStream | undefined {
  const readers = consumers(graph);
  const lastInput = [...candidates].reverse().find((name) => isSummedWithOwn(graph, name, readers));
  if (lastInput === undefined) return undefined;
  const values = reachingBySums(graph, lastInput);
  const carried = reachingWithoutProducts(graph, lastInput, values);
  const goesOn = candidates
    .slice(0, candidates.indexOf(lastInput))
    .some((name) => values.has(name) || carried.has(name));
  return goesOn ? { lastInput, values, carried } : undefined;
}

/** Whether a value, handed on, meets in a sum what was computed from it. */
function isSummedWithOwn(graph: Graph, name: string, readers: ReadonlyMap<string, readonly Node[]>): boolean {
  const own = dependents(graph, [name]);
  const pending = [name];
  const seen = new Set(pending);
  for (let carried = pending.pop(); carried !== undefined; carried = pending.pop()) {
    for (const node of readers.get(carried) ?? []) {
      if (!carries(graph, node, carried)) continue;
      if (node.op === "Add" && node.inputs.every((input) => own.has(input))) return true;
      const [result = ""] = node.outputs;
      if (!seen.has(result)) pending.push(result);
      seen.add(result);
    }
  }
  return false;
}

function reachingBySums(graph: Graph, end: string): Set<string> {
  const producerOf = producers(graph);
  const reaching = new Set([end]);
  // A set that grows while it is read: each value is looked at once.
  for (const name of reaching) {
    const node = producerOf.get(name);
    for (const input of node?.inputs ?? []) if (node && carries(graph, node, input)) reaching.add(input);
  }
  return reaching;
}

/** Nodes that mix the numbers of an example, by stored matrices or by each other: what they make of a stream is f(x). */
const isProduct = ({ op }: Node) => /MatMul|Gemm|Conv|Einsum|Attention/.test(op);

/** A graph in which what products compute is given: what is left of x + f(x), or of a normalization of it, is the way of x. */
export function withoutProducts(graph: Graph): Graph {
  return { ...graph, nodes: graph.nodes.filter((node) => !isProduct(node)) };
}

function reachingWithoutProducts(graph: Graph, end: string, known: ReadonlySet<string>): Set<string> {
  const producerOf = producers(withoutProducts(graph));
  const reaching = new Set(known);
  for (const name of reaching) for (const input of producerOf.get(name)?.inputs ?? []) reaching.add(input);
  const shape = String(getValue(graph, end).shape);
  const isLike = (name: string) => name !== "" && String(getValue(graph, name).shape) === shape;
  return new Set([...reaching].filter((name) => !known.has(name) && isLike(name)));
}

/** Whether a node's result has the numbers of one of its inputs, place for place, alone or in a sum. */
function carries(graph: Graph, node: Node, input: string): boolean {
  if (node.op !== "Add" && !carriers.has(node.op)) return false;
  const [result = ""] = node.outputs;
  return String(getValue(graph, input).shape) === String(getValue(graph, result).shape);
}
