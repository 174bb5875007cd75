/** Parts of a value that a condition, a diagonal or lengths choose. */
import { int, type Value } from "../../onnx/graph.ts";
import { elementCount, int64 } from "../../onnx/tensor.ts";
import type { Emitter } from "../emitter.ts";
import type { Op } from "../op.ts";
import { ofFirst, only, reshape, tangentCount, tangentsFirst, tangentsLast } from "../rules.ts";
import { axisOf, required, requiredConstant, sameShape } from "../shapes.ts";
import { type ComputedNode, intAttribute, type NodeView } from "../view.ts";

/** d compress(x, c) = compress(dx, c), for a constant c */
export const Compress: Op = {
  shape: (node) => {
    const { dtype, shape } = required(node, 0);
    const count = keptPositions(node).length;
    return [{ dtype, shape: isFlat(node) ? [count] : shape.with(axisOf(node, 0), count) }];
  },
  jvp: ofFirst((g, node, dx) => {
    const positions = g.constant(int64(keptPositions(node)));
    if (!isFlat(node)) return g.gather(dx, positions, { axis: axisOf(node, 0) + 1 });
    const flat = reshape(g, dx, [tangentCount(dx), elementCount(required(node, 0).shape)]);
    return g.gather(flat, positions, { axis: 1 });
  }),
};

function isFlat(node: NodeView): boolean {
  return node.node.attributes.axis === undefined;
}

function keptPositions(node: NodeView): number[] {
  const kept = requiredConstant(node, 1, "condition");
  return kept.flatMap((isKept, position) => (isKept ? [position] : []));
}

/** d trilu(x) = trilu(dx) */
export const Trilu: Op = {
  shape: sameShape,
  defaults: { upper: int(1) },
  jvp: ofFirst(triangle),
  transpose: (g, node, cotangents) => triangle(g, node, only(cotangents)),
};

function triangle(g: Emitter, node: ComputedNode, value: Value): Value {
  return g.trilu(value, node.inputs[1], { upper: intAttribute(node.node, "upper", 1) });
}

/** d reverse(x) = reverse(dx); to reverse is its own inverse and transpose */
export const ReverseSequence: Op = {
  shape: sameShape,
  defaults: { batch_axis: int(1), time_axis: int(0) },
  // The op's two axes must come first.
  jvp: ofFirst((g, node, dx) => tangentsFirst(g, reverseSequence(g, node, tangentsLast(g, dx)))),
  transpose: (g, node, cotangents) => reverseSequence(g, node, only(cotangents)),
};

function reverseSequence(g: Emitter, node: ComputedNode, value: Value): Value {
  return g.reverseSequence(value, required(node, 1), {
    batch_axis: intAttribute(node.node, "batch_axis", 1),
    time_axis: intAttribute(node.node, "time_axis", 0),
  });
}
