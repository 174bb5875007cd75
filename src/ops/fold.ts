/** Shape arithmetic that is computed without running anything. */
import { isFloat, type Tensor, type TensorData, tensorOf, toNumbers } from "../onnx/tensor.ts";
import { axisOf, normalizeAxis, reductionAxes, required, sliceRanges } from "./shapes.ts";
import { intAttribute, intsAttribute, type NodeView, type ValueType } from "./view.ts";

/** Elements up to which a value is worth computing without an engine: shapes, positions, and what is made of them. */
export const foldedElements = 4096;

/**
 * Computes the first output of a node without running it, where its inputs are known and it is one of the ops that shape
 * arithmetic is made of; otherwise undefined.
 *
 * @param type of the output, of at most `foldedElements` elements
 */
export function fold(node: NodeView, type: ValueType): Tensor | undefined {
  const rule = Object.hasOwn(rules, node.node.op) ? rules[node.node.op] : undefined;
  return rule?.(node, type);
}

type Fold = (node: NodeView, type: ValueType) => Tensor | undefined;

/** Ops that put numbers in other positions. */
const moved =
  (source: (node: NodeView, at: readonly number[], shape: readonly number[]) => readonly number[]): Fold =>
  (node, type) => {
    const tensor = node.constant(0);
    return tensor && picked(tensor, type, (at) => source(node, at, tensor.shape));
  };

/** Ops whose result has the same numbers in the same order. */
const kept: Fold = (node, { dtype, shape }) => {
  const tensor = node.constant(0);
  return tensor && { dtype, shape, data: tensor.data };
};

/** Ops that compute an element from the elements of all inputs at its position, with numpy broadcasting. */
const each =
  (compute: (numbers: readonly number[]) => number): Fold =>
  (node, type) => {
    const inputs = node.inputs.map((_, index) => node.constant(index));
    if (!inputs.every((input) => input !== undefined)) return undefined;
    const operands = inputs.map((input) => ({ numbers: toNumbers(input), shape: input.shape }));
    const numbers = positionsOf(type.shape).map((at) =>
      compute(operands.map(({ numbers, shape }) => numbers[offset(broadcast(at, shape), shape)] as number)),
    );
    return numbersOf(type, numbers);
  };

const pair = (compute: (a: number, b: number) => number) => each(([a = 0, b = 0]) => compute(a, b));
const truth = (compute: (a: number, b: number) => boolean) => pair((a, b) => Number(compute(a, b)));
const single = (compute: (a: number) => number) => each(([a = 0]) => compute(a));

const reduced =
  (start: number, compute: (total: number, next: number) => number): Fold =>
  (node, type) => {
    const tensor = node.constant(0);
    if (!tensor || (node.inputs[1] && !node.constant(1))) return undefined;
    const axes = reductionAxes(node);
    const sizes = tensor.shape.map((size, axis) => (axes.includes(axis) ? 1 : size));
    const totals = new Array<number>(sizes.reduce((product, size) => product * size, 1)).fill(start);
    const numbers = toNumbers(tensor);
    positionsOf(tensor.shape).forEach((at, index) => {
      const target = offset(broadcast(at, sizes), sizes);
      totals[target] = compute(totals[target] as number, numbers[index] as number);
    });
    return numbersOf(type, totals);
  };

const rules: Readonly<Record<string, Fold>> = {
  Constant(node, type) {
    const { value, value_float, value_floats, value_int, value_ints } = node.node.attributes;
    if (value?.type === "tensor") return value.value;
    const given = value_float ?? value_floats ?? value_int ?? value_ints;
    const numbers = [given?.value ?? []].flat();
    return numbersOf(type, numbers.map(Number));
  },
  Shape(node, type) {
    const { shape } = required(node, 0);
    const start = intAttribute(node.node, "start", 0);
    const first = Math.min(Math.max(start < 0 ? start + shape.length : start, 0), shape.length);
    return numbersOf(type, shape.slice(first, first + (type.shape[0] ?? 0)));
  },
  Size: (node, type) =>
    numbersOf(type, [required(node, 0).shape.reduce((product, size) => product * size, 1)]),
  Identity: kept,
  Reshape: kept,
  Flatten: kept,
  Squeeze: kept,
  Unsqueeze: kept,
  Transpose: moved((node, at, shape) => {
    const order = intsAttribute(node.node, "perm") ?? shape.map((_, axis) => shape.length - 1 - axis);
    return shape.map((_, axis) => at[order.indexOf(axis)] ?? 0);
  }),
  Expand: moved((_, at, shape) => broadcast(at, shape)),
  Tile: moved((_, at, shape) => at.map((position, axis) => position % (shape[axis] ?? 1))),
  Slice: moved((node, at) => {
    const positions = [...at];
    for (const { axis, start, step } of sliceRanges(node)) positions[axis] = start + step * (at[axis] ?? 0);
    return positions;
  }),
  Gather(node, type) {
    const [tensor, indices] = [node.constant(0), node.constant(1)];
    if (!tensor || !indices) return undefined;
    const axis = axisOf(node, 0);
    const size = tensor.shape[axis] ?? 0;
    const numbers = toNumbers(indices);
    return picked(tensor, type, (at) => {
      const inside = at.slice(axis, axis + indices.shape.length);
      const index = numbers[offset(inside, indices.shape)] ?? 0;
      const position = index < 0 ? index + size : index;
      return [...at.slice(0, axis), position, ...at.slice(axis + indices.shape.length)];
    });
  },
  Concat(node, type) {
    const parts = node.inputs.map((_, index) => node.constant(index));
    if (!parts.every((part) => part !== undefined)) return undefined;
    const axis = normalizeAxis(intAttribute(node.node, "axis", 0), type.shape.length, node);
    const numbers = positionsOf(type.shape).map((at) => {
      let position = at[axis] ?? 0;
      for (const part of parts) {
        const size = part.shape[axis] ?? 0;
        if (position < size) return part.data[offset(at.with(axis, position), part.shape)] ?? 0;
        position -= size;
      }
      return 0;
    });
    return { ...type, data: like(parts[0]?.data, numbers) };
  },
  ConstantOfShape(node, type) {
    const { value } = node.node.attributes;
    const number = value?.type === "tensor" ? Number(value.value.data[0] ?? 0) : 0;
    return numbersOf(
      type,
      positionsOf(type.shape).map(() => number),
    );
  },
  Range(node, type) {
    const [start, , step] = [0, 1, 2].map((index) => node.constant(index)).map((tensor) => tensor?.data[0]);
    if (start === undefined || step === undefined) return undefined;
    return numbersOf(
      type,
      Array.from({ length: type.shape[0] ?? 0 }, (_, position) => Number(start) + position * Number(step)),
    );
  },
  Cast(node, type) {
    const tensor = node.constant(0);
    if (tensor?.dtype === type.dtype) return tensor;
    if (!tensor || isHalf(tensor.dtype) || isHalf(type.dtype)) return undefined;
    const numbers = toNumbers(tensor);
    if (type.dtype === "bool")
      return numbersOf(
        type,
        numbers.map((number) => Number(number !== 0)),
      );
    return numbersOf(type, isFloat(type.dtype) ? numbers : numbers.map(Math.trunc));
  },
  Where: each(([condition, a = 0, b = 0]) => (condition ? a : b)),
  Add: pair((a, b) => a + b),
  Sub: pair((a, b) => a - b),
  Mul: pair((a, b) => a * b),
  Div: (node, type) => pair((a, b) => (isFloat(type.dtype) ? a / b : Math.trunc(a / b)))(node, type),
  // Of whole numbers the sign is the divisor's.
  Mod: (node, type) =>
    intAttribute(node.node, "fmod", 0) === 1
      ? undefined
      : pair((a, b) => a - b * Math.floor(a / b))(node, type),
  Pow: pair((a, b) => a ** b),
  Max: each((numbers) => Math.max(...numbers)),
  Min: each((numbers) => Math.min(...numbers)),
  Equal: truth((a, b) => a === b),
  Less: truth((a, b) => a < b),
  LessOrEqual: truth((a, b) => a <= b),
  Greater: truth((a, b) => a > b),
  GreaterOrEqual: truth((a, b) => a >= b),
  And: truth((a, b) => a !== 0 && b !== 0),
  Or: truth((a, b) => a !== 0 || b !== 0),
  Xor: truth((a, b) => (a !== 0) !== (b !== 0)),
  Not: single((a) => Number(a === 0)),
  Neg: single((a) => -a),
  Abs: single(Math.abs),
  Sign: single(Math.sign),
  Floor: single(Math.floor),
  Ceil: single(Math.ceil),
  Sqrt: single(Math.sqrt),
  ReduceSum: reduced(0, (total, next) => total + next),
  ReduceProd: reduced(1, (total, next) => total * next),
  ReduceMax: reduced(Number.NEGATIVE_INFINITY, Math.max),
  ReduceMin: reduced(Number.POSITIVE_INFINITY, Math.min),
};

function isHalf(dtype: Tensor["dtype"]): boolean {
  return dtype === "float16" || dtype === "bfloat16";
}

/** A tensor of these numbers; undefined where its type cannot hold them, which only running the model tells about. */
function numbersOf({ dtype, shape }: ValueType, numbers: readonly number[]): Tensor | undefined {
  if (isHalf(dtype)) return undefined;
  if (!isFloat(dtype) && !numbers.every(Number.isSafeInteger)) return undefined;
  return tensorOf(dtype, numbers, shape);
}

/** The elements that `from` finds for each position of the result. */
function picked(
  tensor: Tensor,
  { dtype, shape }: ValueType,
  from: (at: readonly number[]) => readonly number[],
): Tensor | undefined {
  const elements = positionsOf(shape).map((at) => tensor.data[offset(from(at), tensor.shape)]);
  if (!elements.every((element) => element !== undefined)) return undefined;
  return { dtype, shape, data: like(tensor.data, elements) };
}

/** Elements as they are, in an array of the same kind: the largest int64 is no number of JavaScript's. */
function like(data: TensorData | undefined, elements: readonly (number | bigint)[]): TensorData {
  const kind = (data?.constructor ?? Float32Array) as { from(elements: unknown): TensorData };
  return kind.from(elements);
}

/** All positions of a tensor of this shape, in row-major order. */
function positionsOf(shape: readonly number[]): number[][] {
  if (shape.includes(0)) return [];
  let positions: number[][] = [[]];
  for (const size of shape)
    positions = positions.flatMap((position) =>
      Array.from({ length: size }, (_, index) => [...position, index]),
    );
  return positions;
}

/** The position of an operand that broadcasts to a position of the result. */
function broadcast(at: readonly number[], shape: readonly number[]): number[] {
  return shape.map((size, axis) => (size === 1 ? 0 : (at[at.length - shape.length + axis] ?? 0)));
}

function offset(at: readonly number[], shape: readonly number[]): number {
  return shape.reduce((total, size, axis) => total * size + (at[axis] ?? 0), 0);
}
