/** Sums, means, norms, products and extrema over axes, and running sums. */
import { int, type Node, type Value } from "../../onnx/graph.ts";
import { elementCount, int64, type Tensor } from "../../onnx/tensor.ts";
import type { Emitter } from "../emitter.ts";
import type { Op } from "../op.ts";
import { anyNumber, growing, mayBeHuge, type RangeRule, unchanged } from "../range.ts";
import {
  awayFromZero,
  cast,
  choose,
  finite,
  ofFirst,
  only,
  output,
  reshape,
  reshapeTangent,
  transpose,
  zerosLike,
} from "../rules.ts";
import {
  keepAxes,
  normalizeAxis,
  reductionAxes,
  reductionShape,
  required,
  requiredConstant,
  sameShape,
  sizeOf,
} from "../shapes.ts";
import { type ComputedNode, intAttribute, intsAttribute, type NodeView } from "../view.ts";

const reduction = {
  shape: reductionShape,
  defaults: { keepdims: int(1), noop_with_empty_axes: int(0) },
  upgrade: axesToInput,
  // A scalar has no axes to name.
  lower: (g: Emitter, node: NodeView) =>
    node.inputs[0]?.shape.length === 0 && node.inputs[1]
      ? [g.emit(node.node.op, [node.inputs[0]])]
      : undefined,
} as const;

/** d Σx = Σdx */
export const ReduceSum: Op = { ...linearReduction(() => 1), range: sumRange };

/** d mean(x) = mean(dx) */
export const ReduceMean: Op = { ...linearReduction((count) => 1 / count), range: unchanged };

/** d Σ|x| = Σ sign(x) dx; 0 at 0, as in PyTorch */
export const ReduceL1: Op = {
  ...weightedReduction((g, x) => g.sign(x), choose),
  range: normRange,
};

/** d √Σx² = Σ x dx / y; 0 where y = 0, as in PyTorch */
export const ReduceL2: Op = {
  ...weightedReduction((g, x, y) => g.div(x, awayFromZero(g, y))),
  range: normRange,
};

/** d Σx² = 2 Σ x dx */
export const ReduceSumSquare: Op = {
  ...weightedReduction((g, x) => g.mul(x, 2)),
  range: normRange,
};

/** d ln Σx = Σdx / Σx */
export const ReduceLogSum: Op = {
  ...weightedReduction((g, x, _, axes) => g.reciprocal(sumOver(g, x, axes))),
  range: (input, node) =>
    growing(Math.log, { low: 0, high: Number.POSITIVE_INFINITY })(() => sumRange(input, node), node),
};

/** d ln Σeˣ = Σ eˣ⁻ʸ dx; NaN where x and y are infinite, as in PyTorch */
export const ReduceLogSumExp: Op = weightedReduction((g, x, y) => g.exp(g.sub(x, y)));

/** d Πx = Σⱼ (Πᵢ≠ⱼ xᵢ) dxⱼ, right at zeros too, as PyTorch's `prod` */
export const ReduceProd: Op = weightedReduction((g, x, _, axes) => productOfOthers(g, x, axes));

/** d max(x) = Σ w dx over the axes, the weight shared evenly among ties, as in PyTorch's `amax` */
export const ReduceMax: Op = { ...weightedReduction(shareOfTies, choose), range: unchanged };

/** d min(x) = Σ w dx over the axes, the weight shared evenly among ties, as in PyTorch's `amin` */
export const ReduceMin: Op = { ...weightedReduction(shareOfTies, choose), range: unchanged };

function shareOfTies(g: Emitter, x: Value, y: Value, axes: readonly number[]): Value {
  const chosen = cast(g, g.equal(x, y), x.dtype);
  return g.div(chosen, sumOver(g, chosen, axes));
}

/** Sums of numbers of one sign have that sign. */
function sumRange(...[input, node]: Parameters<RangeRule>) {
  const { low, high, ...marks } = input(0);
  const isUndefined = low === Number.NEGATIVE_INFINITY && high === Number.POSITIVE_INFINITY;
  const isEmpty = elementCount(node.inputs[0]?.shape ?? []) === 0;
  return {
    ...marks,
    low: low >= 0 ? (isEmpty ? 0 : low) : Math.min(low, anyNumber.low),
    high: high <= 0 ? 0 : Math.max(high, anyNumber.high),
    nan: marks.nan || isUndefined,
  };
}

function normRange(...[input]: Parameters<RangeRule>) {
  const x = input(0);
  return { ...x, low: 0, high: mayBeHuge(x) ? Number.POSITIVE_INFINITY : anyNumber.high };
}

/** A sum over axes times a factor that depends on how many elements are summed. */
function linearReduction(factor: (count: number) => number): Op {
  return {
    ...reduction,
    jvp: ofFirst((g, node, dx) => {
      const axes = reductionAxes(node).map((axis) => axis + 1);
      if (axes.length === 0) return dx;
      return reshapeTangent(g, g.emit(node.node.op, [dx, axes], { keepdims: 0 }), output(node));
    }),
    transpose: (g, node, cotangents) => {
      const { shape } = required(node, 0);
      const axes = reductionAxes(node);
      const scale = factor(elementCount(axes.map((axis) => shape[axis] ?? 1)));
      // ONNX Runtime does not expand a size of 1 to 0.
      if (elementCount(shape) === 0) return zerosLike(g, required(node, 0));
      const kept = reshape(g, only(cotangents), keepAxes(shape, axes));
      return g.expand(scale === 1 ? kept : g.mul(kept, scale), shape);
    },
  };
}

/**
 * A reduction with ẏ = Σ w ⊙ ẋ over its axes. `weight` gets the output with the reduced axes kept at size 1, and gives
 * what broadcasts to the input. Over no axes the op works element by element, and the same formula holds.
 */
function weightedReduction(
  weight: (g: Emitter, x: Value, y: Value, axes: readonly number[]) => Value,
  combine: (g: Emitter, tangent: Value, factor: Value, y: Value) => Value = (g, tangent, factor, y) =>
    g.mul(tangent, finite(g, factor, y)),
): Op {
  return {
    ...reduction,
    jvp: ofFirst((g, node, dx) => {
      const x = required(node, 0);
      const axes = reductionAxes(node);
      const kept = reshape(g, output(node), keepAxes(x.shape, axes));
      const weighted = combine(g, dx, weight(g, x, kept, axes), kept);
      const shifted = axes.map((axis) => axis + 1);
      return reshapeTangent(g, sumOver(g, weighted, shifted), output(node));
    }),
  };
}

function sumOver(g: Emitter, value: Value, axes: readonly number[]): Value {
  return axes.length === 0 ? value : g.reduceSum(value, axes);
}

/**
 * For each element the product of all others along the axes: running products from both ends, without a division, so
 * that zeros are no special case.
 */
function productOfOthers(g: Emitter, x: Value, axes: readonly number[]): Value {
  const others = x.shape.flatMap((_, axis) => (axes.includes(axis) ? [] : [axis]));
  const order = [...others, ...axes];
  const inverse = order.map((_, axis) => order.indexOf(axis));
  const moved = transpose(g, x, order);
  const sizes = (some: readonly number[]) => some.map((axis) => sizeOf(x, axis));
  const flat = reshape(g, moved, [elementCount(sizes(others)), elementCount(sizes(axes))]);
  const product = g.mul(runningProduct(g, flat, false), runningProduct(g, flat, true));
  return transpose(g, reshape(g, product, moved.shape), inverse);
}

/** Product of all elements before each one (after it, if reversed) along the rows, in log₂ n doublings: [m, n] */
function runningProduct(g: Emitter, x: Value, isReversed: boolean): Value {
  const [rows = 0, count = 0] = x.shape;
  const shifted = (value: Value, by: number) => {
    const ones = g.expand(g.scalar(x.dtype, 1), [rows, Math.min(by, count)]);
    if (by >= count) return ones;
    const [start, end] = isReversed ? [by, count] : [0, count - by];
    const kept = g.slice(value, [start], [end], [1]);
    return g.concat(...(isReversed ? [kept, ones] : [ones, kept]), { axis: 1 });
  };
  let product = shifted(x, 1);
  for (let span = 1; span < count; span *= 2) product = g.mul(product, shifted(product, span));
  return product;
}

/** d cumsum(x) = cumsum(dx) */
export const CumSum: Op = {
  shape: sameShape,
  defaults: { exclusive: int(0), reverse: int(0) },
  jvp: ofFirst((g, node, dx) => g.cumSum(dx, g.scalar("int64", scanAxis(node) + 1), scanAttributes(node))),
  // Each element adds to all that follow it, so its cotangent sums theirs, from the other end.
  transpose: (g, node, cotangents) => {
    const { exclusive, reverse } = scanAttributes(node);
    return g.cumSum(only(cotangents), g.scalar("int64", scanAxis(node)), {
      exclusive,
      reverse: 1 - reverse,
    });
  },
};

function scanAxis(node: NodeView): number {
  const [axis = 0] = requiredConstant(node, 1, "axis");
  return normalizeAxis(axis, required(node, 0).shape.length, node);
}

function scanAttributes(node: ComputedNode): { exclusive: number; reverse: number } {
  return {
    exclusive: intAttribute(node.node, "exclusive", 0),
    reverse: intAttribute(node.node, "reverse", 0),
  };
}

/** Before opset 18 the axes were an attribute. */
function axesToInput(node: Node, opset: number, constant: (tensor: Tensor) => string): Node {
  const axes = intsAttribute(node, "axes");
  if (opset >= 18 || !axes) return node;
  const { axes: _, ...attributes } = node.attributes;
  return { ...node, inputs: [node.inputs[0] ?? "", constant(int64(axes))], attributes };
}
