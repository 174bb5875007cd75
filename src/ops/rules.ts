/** Named shapes of derivative rules, and what rules are made of. */
import type { Value } from "../onnx/graph.ts";
import { type DType, dtypeNumbers, elementCount, type Tensor, zeros } from "../onnx/tensor.ts";
import type { Emitter } from "./emitter.ts";
import { type FactoredTangent, isFactored, type Op, type StackedTangent, type Tangent } from "./op.ts";
import { hugeNumber, mayBeHuge, mayBeInfinite } from "./range.ts";
import { arange, broadcastShape, broadcastShapes, sameShape, sizeOf } from "./shapes.ts";
import type { ComputedNode, NodeView, ValueType } from "./view.ts";

/** A partial derivative of an op with these inputs: a value that broadcasts to the output, or a number. */
export type PartialDerivative<Inputs extends readonly Value[] = readonly Value[]> = (
  g: Emitter,
  inputs: Inputs,
  outputs: readonly [y: Value],
  node: ComputedNode,
) => Value | number;

type OfOne = PartialDerivative<readonly [x: Value]>;
type OfTwo = PartialDerivative<readonly [a: Value, b: Value]>;

/**
 * Op that works element by element, with numpy broadcasting: ẏ = Σᵢ ∂y/∂xᵢ ⊙ ẋᵢ.
 * One partial derivative per input. An infinite one times a tangent (or cotangent) of 0 is 0: see `finite`.
 */
export function elementwise(dx: OfOne): Op;
export function elementwise(da: OfTwo, db: OfTwo): Op;
export function elementwise(...partials: readonly PartialDerivative[]): Op;
export function elementwise(...partials: readonly PartialDerivative<never>[]): Op {
  return elementwiseBy(partials, (g, tangent, factor, node) =>
    scale(g, tangent, typeof factor === "number" ? factor : finite(g, factor, output(node))),
  );
}

/** As `elementwise`, of ops that choose: where a partial derivative is 0, nothing of the tangent remains, be it infinite. */
export function choosing(dx: OfOne): Op;
export function choosing(da: OfTwo, db: OfTwo): Op;
export function choosing(...partials: readonly PartialDerivative[]): Op;
export function choosing(...partials: readonly PartialDerivative<never>[]): Op {
  return elementwiseBy(partials, choose);
}

function elementwiseBy(
  partials: readonly PartialDerivative<never>[],
  combine: (g: Emitter, tangent: Value, factor: Value | number, node: ComputedNode) => Value,
): Op {
  return {
    shape: partials.length === 1 ? sameShape : broadcastShape,
    jvp: (g, node, tangents) => {
      const inputs = node.inputs.filter((input) => input !== undefined);
      const terms = tangents.flatMap((tangent, index) => {
        const partial = partials[index];
        if (!tangent || !partial) return [];
        const aligned = align(g, tangent, node, index);
        // An op has one partial derivative for each input.
        const factor = partial(g, inputs as never, [output(node)], node);
        return [combine(g, aligned, factor, node)];
      });
      return [broadcastTangent(g, sum(g, terms), output(node))];
    },
  };
}

/**
 * A factor of tangents, with huge numbers in place of infinite ones and 0 where `y`, the value whose derivative it is, is no
 * number. So in every mode a tangent of exactly 0 times an infinite derivative is 0 (√ at 0, distances of a point to
 * itself), and a branch that is not chosen adds nothing. Factors that cannot be infinite stay as they are.
 */
export function finite(g: Emitter, factor: Value, y: Value): Value {
  const number = g.rangeOf(y).nan ? g.where(g.isNaN(y), 0, factor) : factor;
  if (!mayBeInfinite(g.rangeOf(factor), factor.dtype)) return number;
  const huge = hugeNumber(factor.dtype);
  return g.clip(number, -huge, huge);
}

/** Derivatives of a finished graph: the huge numbers of `finite` are the infinite ones that they stand for again. */
export function withInfinities(g: Emitter, derivatives: Value): Value {
  if (!mayBeHuge(g.rangeOf(derivatives))) return derivatives;
  // What exceeds 2⁹⁰ (2⁹⁰⁰ in float64) overflows on the way; all else keeps every bit.
  const scale = derivatives.dtype === "float64" ? 2 ** 124 : 2 ** 38;
  return g.mul(g.mul(derivatives, scale), 1 / scale);
}

/** y ≥ 0 as a divisor: a root of 0 is replaced by less than that of any other number, so that 1/y is huge, not infinite. */
export function awayFromZero(g: Emitter, y: Value): Value {
  if (g.rangeOf(y).low > 0) return y;
  return g.max(y, y.dtype === "float64" ? 2 ** -1000 : 2 ** -101);
}

/** tangent ⊙ factor, and 0 where the factor is 0. A product does it alone, and much faster, unless tangents may be infinite. */
export function choose(g: Emitter, tangent: Value, factor: Value | number): Value {
  if (typeof factor === "number" || !mayBeInfinite(g.rangeOf(tangent), tangent.dtype))
    return scale(g, tangent, factor);
  return g.where(g.equal(factor, 0), 0, g.mul(tangent, factor));
}

function scale(g: Emitter, tangent: Value, factor: Value | number): Value {
  if (factor === 1) return tangent;
  if (factor === -1) return g.neg(tangent);
  return g.mul(tangent, factor);
}

/** Sum of the tangents that are there; undefined for none. */
export function sum(g: Emitter, terms: readonly (Value | undefined)[]): Value | undefined {
  return terms.reduce((total, term) => (total && term ? g.add(total, term) : (total ?? term)), undefined);
}

/** The forward derivative of an op whose only differentiable input is the first, from its tangent. */
export function ofFirst(
  rule: (g: Emitter, node: ComputedNode, tangent: StackedTangent) => StackedTangent | undefined,
): NonNullable<Op["jvp"]> {
  return (g, node, [tangent]) => [tangent && rule(g, node, tangent)];
}

/** Op without a derivative: its outputs are integers, truth values, or piecewise constant. */
export function zero(shape: (node: NodeView) => ValueType[]): Op {
  return { shape };
}

/** The first output. */
export function output(node: ComputedNode): Value {
  return node.outputs[0] as Value;
}

/**
 * A tangent [k, ...shape of input `index`] with axes of size 1 inserted after the first, so that it broadcasts
 * against values of the output's rank.
 */
export function align(g: Emitter, tangent: StackedTangent, node: ComputedNode, index: number): Value {
  return alignRank(g, tangent, node.inputs[index]?.shape ?? [], output(node).shape.length);
}

/** As `align`, from a shape and a rank. */
export function alignRank(
  g: Emitter,
  tangent: StackedTangent,
  shape: readonly number[],
  rank: number,
): Value {
  if (shape.length >= rank) return tangent;
  const ones = Array.from({ length: rank - shape.length }, () => 1);
  return reshape(g, tangent, [tangentCount(tangent), ...ones, ...shape]);
}

/** k, of tangents in either form; 0 where there are none. */
export function tangentCount(tangent: Tangent | undefined): number {
  return tangent ? sizeOf(isFactored(tangent) ? tangent.left : tangent, 0) : 0;
}

/** The same elements of k tangents as tangents of this value: [k, ...shape]. */
export function reshapeTangent(g: Emitter, tangent: StackedTangent, value: Value): StackedTangent {
  return reshape(g, tangent, [tangentCount(tangent), ...value.shape]);
}

/** The tangents' axis behind all others, for ops that read their own axes first: [k, ...shape] → [...shape, k]. */
export function tangentsLast(g: Emitter, tangent: StackedTangent): Value {
  const axes = arange(tangent.shape.length);
  return transpose(g, tangent, [...axes.slice(1), 0]);
}

/** The way back from `tangentsLast`: [...shape, k] → [k, ...shape]. */
export function tangentsFirst(g: Emitter, value: Value): StackedTangent {
  const axes = arange(value.shape.length);
  return transpose(g, value, [...axes.slice(-1), ...axes.slice(0, -1)]);
}

/** A tangent expanded to [k, ...shape] where broadcasting left it smaller. */
export function broadcastTangent(g: Emitter, tangent: Value, value: Value): Value;
export function broadcastTangent(g: Emitter, tangent: Value | undefined, value: Value): Value | undefined;
export function broadcastTangent(g: Emitter, tangent: Value | undefined, value: Value): Value | undefined {
  if (!tangent) return undefined;
  const shape = [tangentCount(tangent), ...value.shape];
  if (sameDimensions(tangent.shape, shape)) return tangent;
  // ONNX Runtime does not expand a size of 1 to 0.
  if (elementCount(shape) === 0) return zerosLike(g, { dtype: value.dtype, shape });
  return g.expand(tangent, shape);
}

/** The transpose of broadcasting: sums over the axes along which `shape` was repeated. */
export function unbroadcast(g: Emitter, cotangent: Value, shape: readonly number[]): Value {
  if (sameDimensions(cotangent.shape, shape)) return cotangent;
  const lead = cotangent.shape.length - shape.length;
  // Axes of size 1 on both sides, too: beside them the engine sums ten times as long.
  const axes = cotangent.shape.flatMap((_, axis) => (axis < lead || shape[axis - lead] === 1 ? [axis] : []));
  const summed = axes.length > 0 ? g.reduceSum(cotangent, axes, { keepdims: 0 }) : cotangent;
  return reshape(g, summed, shape);
}

/** The value that an Expand repeats, where an operation with `other` repeats it as well; any other value as it is. */
export function unexpanded(g: Emitter, value: Value, other: Value): Value {
  const expand = g.producer(value);
  const source = expand?.node.op === "Expand" ? expand.inputs[0] : undefined;
  if (!source) return value;
  const shape = broadcastShapes([source.shape, other.shape], "Expand");
  return sameDimensions(shape, value.shape) ? source : value;
}

/** The sum of two values of one shape. */
export function plus(g: Emitter, a: Value, b: Value): Value {
  const small = unexpanded(g, b, a);
  return small === b ? g.add(unexpanded(g, a, b), b) : g.add(a, small);
}

export function reshape(g: Emitter, value: Value, shape: readonly number[]): Value {
  if (sameDimensions(value.shape, shape)) return value;
  // One node for a chain of them: each would copy where its output is wanted in a buffer of its own.
  const origin = g.origin(value);
  if (origin !== value) return reshape(g, origin, shape);
  // Without allowzero, a 0 in the shape would mean "as in the input".
  return g.reshape(value, shape, shape.includes(0) ? { allowzero: 1 } : {});
}

export function cast(g: Emitter, value: Value, dtype: DType): Value {
  return value.dtype === dtype ? value : g.cast(value, { to: dtypeNumbers[dtype] });
}

export function transpose(g: Emitter, value: Value, permutation: readonly number[]): Value {
  // Moving only axes of size 1 moves no element.
  const moved = permutation.filter((axis) => value.shape[axis] !== 1);
  if (moved.every((axis, index) => index === 0 || axis > (moved[index - 1] as number))) {
    return reshape(
      g,
      value,
      permutation.map((axis) => value.shape[axis] as number),
    );
  }
  return g.transpose(value, { perm: permutation });
}

/** Splits axes, permutes them and joins them again: the elements in the shape `split`, transposed, in the shape `joined`. */
export function rearrange(
  g: Emitter,
  value: Value,
  split: readonly number[],
  permutation: readonly number[],
  joined: readonly number[],
): Value {
  return reshape(g, transpose(g, reshape(g, value, split), permutation), joined);
}

export function sameDimensions(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((size, axis) => size === b[axis]);
}

/** The single cotangent of an op with one output. */
export function only(cotangents: readonly (Value | undefined)[]): Value {
  return cotangents[0] as Value;
}

/** A constant of zeros. */
export function zerosLike(g: Emitter, type: ValueType): Value {
  const one: Tensor = zeros(
    type.dtype,
    type.shape.map(() => 1),
  );
  // One stored zero, expanded when the graph runs, keeps files small.
  if (elementCount(type.shape) <= 64) return g.constant(zeros(type.dtype, type.shape));
  return g.expand(g.constant(one), type.shape);
}

/**
 * (x · Fᵢ) for k thin factors at once, as one matrix product.
 * x [m, p], factor [k, p, r] → [k, m, r]
 */
export function thinProduct(g: Emitter, x: Value, factor: Value): Value {
  const [k = 0, p = 0, r = 0] = factor.shape;
  const m = sizeOf(x, 0);
  const rows = reshape(g, r === 1 ? factor : transpose(g, factor, [0, 2, 1]), [k * r, p]);
  const product = g.gemm(x, rows, { transB: 1 }); // [m, k·r]
  return transpose(g, reshape(g, product, [m, k, r]), [1, 0, 2]);
}

/** left_i · right_iᵀ: [k, m, r], [k, n, r] → [k, m, n] */
export function outerProduct(g: Emitter, left: Value, right: Value): Value {
  const [k = 0, n = 0, r = 0] = right.shape;
  if (r === 1) return g.mul(left, reshape(g, right, [k, 1, n]));
  return g.matMul(left, transpose(g, right, [0, 2, 1]));
}

/** A factored tangent of a value, stacked: [k, ...shape]. */
export function materialize(g: Emitter, tangent: FactoredTangent, shape: readonly number[]): StackedTangent {
  return reshape(g, outerProduct(g, tangent.left, tangent.right), [tangentCount(tangent), ...shape]);
}

/** Tangents of a value of this shape in stacked form. */
export function stacked(g: Emitter, tangent: Tangent, shape: readonly number[]): StackedTangent {
  return isFactored(tangent) ? materialize(g, tangent, shape) : tangent;
}

/**
 * A node's op, linear in input 0 when the others are held, applied to k tangents of that input at once: as a batch k
 * times as large.
 *
 * @param others the inputs after the first
 */
export function foldIntoBatch(
  g: Emitter,
  node: ComputedNode,
  tangent: StackedTangent,
  others: readonly (Value | undefined)[] = [],
): StackedTangent {
  const [x] = node.inputs;
  const full = x ? broadcastTangent(g, tangent, x) : tangent;
  const [k = 0, batch = 0, ...rest] = full.shape;
  const folded = reshape(g, full, [k * batch, ...rest]);
  const y = g.emit(node.node.op, [folded, ...others], node.node.attributes);
  return reshape(g, y, [k, ...output(node).shape]);
}

/** The same elements of each of k tangents. */
export function gatherElements(g: Emitter, tangent: Value, indices: Value, axis: number): Value {
  const repeated = repeatIndices(g, indices, tangentCount(tangent));
  return g.gatherElements(tangent, repeated, { axis: axis + 1 });
}

/** Integer indices, once for each of k tangents. */
export function repeatIndices(g: Emitter, indices: Value, k: number): Value {
  return g.expand(indices, [k, ...indices.shape]);
}
