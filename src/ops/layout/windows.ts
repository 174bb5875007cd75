/** Windows of signals, made of a size. */
import { int } from "../../onnx/graph.ts";
import { dtypeFromNumber } from "../../onnx/tensor.ts";
import type { Op } from "../op.ts";
import { zero } from "../rules.ts";
import { requiredConstant } from "../shapes.ts";
import { intAttribute, type NodeView, type ValueType } from "../view.ts";

// They do not depend differentiably on anything.

function windowOf(node: NodeView): ValueType[] {
  const [size = 0] = requiredConstant(node, 0, "size");
  return [
    { dtype: dtypeFromNumber(intAttribute(node.node, "output_datatype", 1)) ?? "float32", shape: [size] },
  ];
}

export const BlackmanWindow: Op = { ...zero(windowOf), defaults: { periodic: int(1) } };
export const HammingWindow: Op = { ...zero(windowOf), defaults: { periodic: int(1) } };
export const HannWindow: Op = { ...zero(windowOf), defaults: { periodic: int(1) } };
