import { int, type Node, type Value } from "../onnx/graph.ts";
import { elementCount, int64, type Tensor } from "../onnx/tensor.ts";
import {
  type ComputedNode,
  type Emitter,
  intAttribute,
  intsAttribute,
  type NodeView,
  type Op,
} from "./op.ts";
import { cast, only, output, reshape, transpose, zerosLike } from "./rules.ts";
import {
  keepAxes,
  normalizeAxis,
  reductionAxes,
  reductionShape,
  required,
  requiredConstant,
  sameShape,
} from "./shapes.ts";

const reduction = {
  shape: reductionShape,
  defaults: { keepdims: int(1), noop_with_empty_axes: int(0) },
  upgrade: axesToInput,
} as const;

/** d Σx = Σdx */
export const ReduceSum: Op = linearReduction(() => 1);

/** d mean(x) = mean(dx) */
export const ReduceMean: Op = linearReduction((count) => 1 / count);

/** d Σ|x| = Σ sign(x) dx; 0 at 0, as in PyTorch */
export const ReduceL1: Op = weightedReduction((g, x) => g.emit("Sign", [x]));

/** d √Σx² = Σ x dx / y; 0 where y = 0, as in PyTorch */
export const ReduceL2: Op = weightedReduction((g, x, y) =>
  g.emit("Div", [x, g.emit("Where", [g.emit("Equal", [y, 0]), 1, y])]),
);

/** d Σx² = 2 Σ x dx */
export const ReduceSumSquare: Op = weightedReduction((g, x) => g.emit("Mul", [x, 2]));

/** d ln Σx = Σdx / Σx */
export const ReduceLogSum: Op = weightedReduction((g, x, _, axes) =>
  g.emit("Reciprocal", [sumOver(g, x, axes)]),
);

/** d ln Σeˣ = Σ eˣ⁻ʸ dx; NaN where x and y are infinite, as in PyTorch */
export const ReduceLogSumExp: Op = weightedReduction((g, x, y) => g.emit("Exp", [g.emit("Sub", [x, y])]));

/** d Πx = Σⱼ (Πᵢ≠ⱼ xᵢ) dxⱼ, right at zeros too, as PyTorch's `prod` */
export const ReduceProd: Op = weightedReduction((g, x, _, axes) => productOfOthers(g, x, axes));

/** d max(x) = Σ w dx over the axes, the weight shared evenly among ties, as in PyTorch's `amax` */
export const ReduceMax: Op = weightedReduction(shareOfTies);

/** d min(x) = Σ w dx over the axes, the weight shared evenly among ties, as in PyTorch's `amin` */
export const ReduceMin: Op = weightedReduction(shareOfTies);

function shareOfTies(g: Emitter, x: Value, y: Value, axes: readonly number[]): Value {
  const chosen = cast(g, g.emit("Equal", [x, y]), x.dtype);
  return g.emit("Div", [chosen, sumOver(g, chosen, axes)]);
}

/** A sum over axes times a factor that depends on how many elements are summed. */
function linearReduction(factor: (count: number) => number): Op {
  return {
    ...reduction,
    jvp: (g, node, [tangent]) => {
      const axes = reductionAxes(node).map((axis) => axis + 1);
      if (axes.length === 0) return [tangent];
      const reduced = g.emit(node.node.op, [tangent, axes], { keepdims: 0 });
      return [reshape(g, reduced, [reduced.shape[0] as number, ...output(node).shape])];
    },
    transpose: (g, node, cotangents) => {
      const { shape } = required(node, 0);
      const axes = reductionAxes(node);
      const scale = factor(elementCount(axes.map((axis) => shape[axis] as number)));
      // ONNX Runtime does not expand a size of 1 to 0.
      if (elementCount(shape) === 0) return zerosLike(g, required(node, 0));
      const kept = reshape(g, only(cotangents), keepAxes(shape, axes));
      return g.emit("Expand", [scale === 1 ? kept : g.emit("Mul", [kept, scale]), shape]);
    },
  };
}

/**
 * A reduction with ẏ = Σ w ⊙ ẋ over its axes. `weight` gets the output with the reduced axes kept at size 1, and gives
 * what broadcasts to the input. Over no axes the op works element by element, and the same formula holds.
 */
function weightedReduction(weight: (g: Emitter, x: Value, y: Value, axes: readonly number[]) => Value): Op {
  return {
    ...reduction,
    jvp: (g, node, [tangent]) => {
      const x = required(node, 0);
      const axes = reductionAxes(node);
      const kept = reshape(g, output(node), keepAxes(x.shape, axes));
      const weighted = g.emit("Mul", [tangent, weight(g, x, kept, axes)]);
      const summed = sumOver(
        g,
        weighted,
        axes.map((axis) => axis + 1),
      );
      return [reshape(g, summed, [summed.shape[0] as number, ...output(node).shape])];
    },
  };
}

function sumOver(g: Emitter, value: Value, axes: readonly number[]): Value {
  return axes.length === 0 ? value : g.emit("ReduceSum", [value, axes]);
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
  const count = elementCount(axes.map((axis) => x.shape[axis] as number));
  const flat = reshape(g, moved, [elementCount(others.map((axis) => x.shape[axis] as number)), count]);
  const product = g.emit("Mul", [runningProduct(g, flat, false), runningProduct(g, flat, true)]);
  return transpose(g, reshape(g, product, moved.shape), inverse);
}

/** Product of all elements before each one (after it, if reversed) along the rows, in log₂ n doublings: [m, n] */
function runningProduct(g: Emitter, x: Value, isReversed: boolean): Value {
  const [rows = 0, count = 0] = x.shape;
  const shifted = (value: Value, by: number) => {
    const ones = g.emit("Expand", [g.scalar(x.dtype, 1), [rows, Math.min(by, count)]]);
    if (by >= count) return ones;
    const [start, end] = isReversed ? [by, count] : [0, count - by];
    const kept = g.emit("Slice", [value, [start], [end], [1]]);
    return g.emit("Concat", isReversed ? [kept, ones] : [ones, kept], { axis: 1 });
  };
  let product = shifted(x, 1);
  for (let span = 1; span < count; span *= 2) product = g.emit("Mul", [product, shifted(product, span)]);
  return product;
}

/** d cumsum(x) = cumsum(dx) */
export const CumSum: Op = {
  shape: sameShape,
  defaults: { exclusive: int(0), reverse: int(0) },
  jvp: (g, node, [tangent]) => [
    tangent && g.emit("CumSum", [tangent, g.scalar("int64", scanAxis(node) + 1)], scanAttributes(node)),
  ],
  // Each element adds to all that follow it, so its cotangent sums theirs, from the other end.
  transpose: (g, node, cotangents) => {
    const { exclusive, reverse } = scanAttributes(node);
    return g.emit("CumSum", [only(cotangents), g.scalar("int64", scanAxis(node))], {
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
