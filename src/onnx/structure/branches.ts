/** The branches of If nodes. */
import type { NodeProto } from "onnx-buf";
import type { Known } from "./known.ts";
import { copies, inlineGraph, subgraph } from "./subgraphs.ts";

/**
 * The branch that is taken, in place of the If node whose condition is known. Exporters write such nodes for choices
 * that the shapes make, such as `squeeze` of an axis of open size.
 */
export function takeBranch(node: NodeProto, known: Known): NodeProto[] | undefined {
  const condition = known.numbers(node.input[0] ?? "");
  if (!condition) return undefined;
  const branch = subgraph(node, Number(condition.data[0]) === 0 ? "else_branch" : "then_branch");
  if (!branch) return undefined;
  const { nodes, results } = inlineGraph(branch, node.name || (node.output[0] ?? ""));
  return [...nodes, ...copies(results, node.output)];
}
