/** Ops that choose between values: Where and Clip. */
import type { Value } from "../../onnx/graph.ts";
import type { Emitter } from "../emitter.ts";
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
    const chosen = g.where(required(node, 0), branch(1), branch(2));
    return [broadcastTangent(g, chosen, output(node))];
  },
  transpose: (g, node, cotangents, index) => {
    if (index === 0) return undefined;
    const cotangent = only(cotangents);
    const condition = required(node, 0);
    const kept = index === 1 ? g.where(condition, cotangent, 0) : g.where(condition, 0, cotangent);
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
    const x = required(node, 0);
    const [, low, high] = node.inputs;
    const [dx, dlow, dhigh] = tangents.map((tangent, index) => tangent && align(g, tangent, node, index));
    const [lowest, highest] = [1, 2].map((index) => node.constant(index)?.data[0]);
    const isOrdered = lowest !== undefined && highest !== undefined && lowest <= highest;
    const lifted = low && high && !isOrdered ? g.max(x, low) : x;
    const raised = bounded(g, x, dx, {
      bound: low,
      dbound: dlow,
      isKnown: lowest !== undefined,
      isBeyond: (value, bound) => g.less(value, bound),
    });
    const clipped = bounded(g, lifted, raised, {
      bound: high,
      dbound: dhigh,
      isKnown: highest !== undefined,
      isBeyond: (value, bound) => g.greater(value, bound),
    });
    return [broadcastTangent(g, clipped, output(node))];
  },
};

/** One of the two bounds of a Clip. */
interface Bound {
  readonly bound: Value | undefined;
  readonly dbound: Value | undefined;
  /** Whether its numbers are constant. */
  readonly isKnown: boolean;
  readonly isBeyond: (value: Value, bound: Value) => Value;
}

/** dx inside of a bound, the bound's tangent beyond it. */
function bounded(
  g: Emitter,
  x: Value,
  dx: Value | undefined,
  { bound, dbound, isKnown, isBeyond }: Bound,
): Value | undefined {
  if (!bound || !(dx || dbound)) return dx;
  const isOn = g.equal(x, bound);
  const beyond = isBeyond(x, bound);
  if (dx && !dbound && isKnown) return g.where(g.or(beyond, isOn), 0, dx);
  const mean = g.mul(sum(g, [dx, dbound]) as Value, 0.5);
  return g.where(beyond, dbound ?? 0, g.where(isOn, mean, dx ?? 0));
}
