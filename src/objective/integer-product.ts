import type { Node } from "../onnx/graph.ts";

/**
 * What ONNX Runtime's dynamic quantization makes of a product with a stored matrix, behind its last node: the float value that
 * is rounded, and the product's node.
 */
export function integerProduct(
  last: Node,
  computedBy: ReadonlyMap<string, Node>,
): { readonly reads: string; readonly node: Node } | undefined {
  if (last.op !== "Mul") return undefined;
  const cast = last.inputs.map((name) => computedBy.get(name)).find((each) => each?.op === "Cast");
  const node = computedBy.get(cast?.inputs[0] ?? "");
  const rounding = computedBy.get(node?.inputs[0] ?? "");
  if (node?.op !== "MatMulInteger" || rounding?.op !== "DynamicQuantizeLinear") return undefined;
  return { reads: rounding.inputs[0] ?? "", node };
}
