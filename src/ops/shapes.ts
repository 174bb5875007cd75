/** What shape rules have in common: inputs, axes, broadcasting, reductions, slices. */
import { ModelError } from "../errors/errors.ts";
import { describeNode, formatShape, nodeName, type Value } from "../onnx/graph.ts";
import { nodeError } from "../onnx/node-error.ts";
import { type DType, toNumbers } from "../onnx/tensor.ts";
import { intAttribute, intsAttribute, type NodeView, type ValueType } from "./view.ts";

/** The input at this position; a named error where the node omits it. */
export function required(node: NodeView, index: number): Value {
  const value = node.inputs[index];
  if (!value) {
    throw nodeError(
      node.node,
      `input ${index} is missing; it has ${node.inputs.length} of them. Pass that input.`,
    );
  }
  return value;
}

/** The size of an axis; −1 is the last. 1 where there is no such axis, as in broadcasting. */
export function sizeOf({ shape }: { readonly shape: readonly number[] }, axis: number): number {
  return shape.at(axis) ?? 1;
}

/** 0, 1, …, count − 1 */
export function arange(count: number): number[] {
  return Array.from({ length: Math.max(0, count) }, (_, index) => index);
}

/** A rule needs a value that nothing but running the graph could tell. */
export class UnknownConstantError extends ModelError {}

/** The values of an integer input that must be known before running, as plain numbers. */
export function requiredConstant(node: NodeView, index: number, what: string): number[] {
  const tensor = node.constant(index);
  if (!tensor) {
    throw new UnknownConstantError(
      `${describeNode(node.node)}: its ${what} (input ${index}, '${node.inputs[index]?.name ?? ""}') must be constant, ` +
        "but it is computed from data, which would make shapes depend on data. Export the model with fixed shapes.",
      { node: nodeName(node.node) },
    );
  }
  return toNumbers(tensor);
}

/** Numpy broadcasting of shapes. */
export function broadcastShapes(shapes: readonly (readonly number[])[], context: string): number[] {
  const rank = Math.max(0, ...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, axis) => {
    let dimension = 1;
    for (const shape of shapes) {
      const size = shape[shape.length - rank + axis] ?? 1;
      if (size === 1) continue;
      if (dimension !== 1 && size !== dimension) {
        throw new ModelError(
          `${context}: shapes ${shapes.map(formatShape).join(" and ")} cannot be broadcast together; ` +
            "from the last axis on, sizes must be equal or 1.",
          { source: context },
        );
      }
      dimension = size;
    }
    return dimension;
  });
}

/** Shape rule: the output is like the first input. */
export function sameShape(node: NodeView): ValueType[] {
  const { dtype, shape } = required(node, 0);
  return [{ dtype, shape }];
}

/** Shape rule: the inputs broadcast together and have one type. */
export function broadcastShape(node: NodeView): ValueType[] {
  return [{ dtype: required(node, 0).dtype, shape: broadcastInputs(node) }];
}

/** Shape rule: the inputs broadcast together into truth values. */
export function comparisonShape(node: NodeView): ValueType[] {
  return [{ dtype: "bool", shape: broadcastInputs(node) }];
}

function broadcastInputs(node: NodeView): number[] {
  const inputs = node.inputs.filter((input) => input !== undefined);
  const types = new Set<DType>(inputs.map((input) => input.dtype));
  if (types.size > 1 && node.node.op !== "Pow" && node.node.op !== "Where") {
    throw nodeError(
      node.node,
      `its inputs have types ${[...types].join(" and ")}, expected one type; insert a Cast.`,
    );
  }
  return broadcastShapes(
    inputs.map((input) => input.shape),
    describeNode(node.node),
  );
}

/** A possibly negative axis as a position from 0. */
export function normalizeAxis(axis: number, rank: number, node: NodeView): number {
  const normalized = axis < 0 ? axis + rank : axis;
  if (normalized < 0 || normalized >= Math.max(rank, 1)) {
    throw nodeError(node.node, `axis ${axis} is outside the input's ${rank} axes.`);
  }
  return normalized;
}

/** The axis attribute as a position from 0. */
export function axisOf(node: NodeView, fallback: number): number {
  return normalizeAxis(intAttribute(node.node, "axis", fallback), required(node, 0).shape.length, node);
}

/** The axes a reduction runs over: input 1, the attribute of older opsets, or all. */
export function reductionAxes(node: NodeView): number[] {
  const rank = required(node, 0).shape.length;
  // Exporters name axis 0 of a scalar too, which runtimes read as none.
  if (rank === 0) return [];
  const listed = node.inputs[1] ? requiredConstant(node, 1, "axes") : intsAttribute(node.node, "axes");
  if (!listed || listed.length === 0) {
    if (intAttribute(node.node, "noop_with_empty_axes", 0) === 1) return [];
    return Array.from({ length: rank }, (_, axis) => axis);
  }
  return listed.map((axis) => normalizeAxis(axis, rank, node)).sort((a, b) => a - b);
}

/** The shape with size 1 on the given axes. */
export function keepAxes(shape: readonly number[], axes: readonly number[]): number[] {
  return shape.map((size, axis) => (axes.includes(axis) ? 1 : size));
}

/** Shape rule of reductions. */
export function reductionShape(node: NodeView): ValueType[] {
  const { dtype, shape } = required(node, 0);
  const axes = reductionAxes(node);
  const kept = keepAxes(shape, axes);
  if (intAttribute(node.node, "keepdims", 1) === 1) return [{ dtype, shape: kept }];
  return [{ dtype, shape: shape.filter((_, axis) => !axes.includes(axis)) }];
}

/** The positions that a Slice takes along an axis. */
export interface SliceRange {
  readonly axis: number;
  readonly start: number;
  readonly step: number;
  readonly count: number;
}

/** What a Slice takes, axis by axis. */
export function sliceRanges(node: NodeView): SliceRange[] {
  const { shape } = required(node, 0);
  const starts = requiredConstant(node, 1, "starts");
  const ends = requiredConstant(node, 2, "ends");
  const axes = node.inputs[3] ? requiredConstant(node, 3, "axes") : starts.map((_, index) => index);
  const steps = node.inputs[4] ? requiredConstant(node, 4, "steps") : starts.map(() => 1);
  return axes.map((listed, index) => {
    const axis = normalizeAxis(listed, shape.length, node);
    const size = shape[axis] as number;
    const step = steps[index] ?? 1;
    const clamp = (position: number, low: number, high: number) => Math.min(Math.max(position, low), high);
    const absolute = (position: number) => (position < 0 ? position + size : position);
    const start = clamp(absolute(starts[index] ?? 0), 0, step > 0 ? size : size - 1);
    const end = clamp(absolute(ends[index] ?? size), step > 0 ? 0 : -1, size);
    return { axis, start, step, count: Math.max(0, Math.ceil((end - start) / step)) };
  });
}
