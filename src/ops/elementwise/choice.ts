import type { Value } from "../../onnx/graph.ts";
import type { Op } from "../op.ts";
import { anything, hull } from "../range.ts";
import { align, broadcastTangent, only, output, sum, unbroadcast } from "../rules.ts";
import { broadcastShapes, required, sameShape } from "../shapes.ts";

/** d where(c, a, b) = where(c, da, db) */
export const Where: Op = {
  shape: (node) => {
    const shapes = [0, 1, 2].map((index) => required(node, index).shape);
    return [
      { dtype: required(node, 1).dtype, shape: broadcastShapes(shapes, `Where node '${node.node.name}'`) },
    ];
  },
  range: (input) => hull(input(1), input(2)),
  jvp: (g, node, tangents) => {
    const branch = (index: number) => {
      const tangent = tangents[index];
      return tangent ? align(g, tangent, node, index) : 0;
    };
    const chosen = g.emit("Where", [node.inputs[0], branch(1), branch(2)]);
    return [broadcastTangent(g, chosen, output(node))];
  },
  transpose: (g, node, cotangents, index) => {
    if (index === 0) return undefined;
    const cotangent = only(cotangents);
    const kept = g.emit(
      "Where",
      index === 1 ? [node.inputs[0], cotangent, 0] : [node.inputs[0], 0, cotangent],
    );
    return unbroadcast(g, kept, required(node, index).shape);
  },
};

/**
 * d clip(x, low, high) = dx between the bounds, dlow below, dhigh above. Exactly on a bound: 0 for constant bounds, as
 * PyTorch's `relu6` and `hardtanh`; half of each for bounds that are computed or trained, as PyTorch's `clamp`, whichever of
 * them have a tangent. Where low > high the result is high
 */
export const Clip: Op = {
  shape: sameShape,
  range: (input, { inputs }) => {
    const [x, low, high] = [input(0), inputs[1] ? input(1) : anything, inputs[2] ? input(2) : anything];
    const clipped = (end: number) => Math.min(Math.max(end, low.low), high.high);
    return { ...x, low: clipped(x.low), high: clipped(x.high), nan: x.nan };
  },
  jvp: (g, node, tangents) => {
    const [x, low, high] = node.inputs;
    const [dx, dlow, dhigh] = tangents.map((tangent, index) => tangent && align(g, tangent, node, index));
    const [lowest, highest] = [1, 2].map((index) => node.constant(index)?.data[0]);
    const isOrdered = lowest !== undefined && highest !== undefined && lowest <= highest;
    const lifted = low && high && !isOrdered ? g.emit("Max", [x, low]) : x;
    const bounded = (
      value: Value | undefined,
      inside: Value | undefined,
      bound: Value | undefined,
      dbound: Value | undefined,
      beyond: string,
      isKnown: boolean,
    ) => {
      if (!bound || !(inside || dbound)) return inside;
      const isOn = g.emit("Equal", [value, bound]);
      const isBeyond = g.emit(beyond, [value, bound]);
      if (!dbound && isKnown) return g.emit("Where", [g.emit("Or", [isBeyond, isOn]), 0, inside]);
      const mean = g.emit("Mul", [sum(g, [inside, dbound]), 0.5]);
      return g.emit("Where", [isBeyond, dbound ?? 0, g.emit("Where", [isOn, mean, inside ?? 0])]);
    };
    const raised = bounded(x, dx, low, dlow, "Less", lowest !== undefined);
    return [
      broadcastTangent(
        g,
        bounded(lifted, raised, high, dhigh, "Greater", highest !== undefined),
        output(node),
      ),
    ];
  },
};
