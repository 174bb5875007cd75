/** What is largest or smallest, and its index. */
import { int } from "../../onnx/graph.ts";
import { nodeError } from "../../onnx/node-error.ts";
import type { Op } from "../op.ts";
import { gatherElements, ofFirst, zero } from "../rules.ts";
import { axisOf, keepAxes, required, requiredConstant } from "../shapes.ts";
import { intAttribute, type NodeView, type ValueType } from "../view.ts";

/** Indices are integers: no derivative. */
export const ArgMax: Op = {
  ...zero(indexShape),
  defaults: { axis: int(0), keepdims: int(1), select_last_index: int(0) },
};

/** Indices are integers: no derivative. */
export const ArgMin: Op = {
  ...zero(indexShape),
  defaults: { axis: int(0), keepdims: int(1), select_last_index: int(0) },
};

function indexShape(node: NodeView): ValueType[] {
  const axis = axisOf(node, 0);
  const { shape } = required(node, 0);
  const isKept = intAttribute(node.node, "keepdims", 1) === 1;
  return [{ dtype: "int64", shape: isKept ? keepAxes(shape, [axis]) : shape.toSpliced(axis, 1) }];
}

/** d topk(x) = dx at the chosen places; among ties the chosen one has it all, as in PyTorch */
export const TopK: Op = {
  shape: (node) => {
    const { dtype, shape } = required(node, 0);
    const axis = axisOf(node, -1);
    const [count = 0] = requiredConstant(node, 1, "k");
    const size = shape[axis] ?? 0;
    if (count > size) {
      throw nodeError(
        node.node,
        `k is ${count}, but axis ${axis} has ${size} elements; choose at most that many.`,
      );
    }
    const kept = shape.with(axis, count);
    return [
      { dtype, shape: kept },
      { dtype: "int64", shape: kept },
    ];
  },
  defaults: { axis: int(-1), largest: int(1), sorted: int(1) },
  jvp: ofFirst((g, node, dx) => {
    const indices = node.outputs[1];
    return indices && gatherElements(g, dx, indices, axisOf(node, -1));
  }),
};
