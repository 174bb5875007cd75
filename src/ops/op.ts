/** What an ONNX operation is, and the forms of its tangents. */
import type { Attributes, Node, Value } from "../onnx/graph.ts";
import type { Tensor } from "../onnx/tensor.ts";
import type { Emitter } from "./emitter.ts";
import type { RangeRule } from "./range.ts";
import type { ComputedNode, NodeView, ValueType } from "./view.ts";

/** k tangents of a value, stacked on a leading axis: [k, ...shape]. */
export type StackedTangent = Value;

/**
 * k tangents of a parameter as products of thin factors: tangent i = left_i · right_iᵀ.
 * Rows are the parameter's first dimension, columns the product of the others.
 */
export interface FactoredTangent {
  /** [k, rows, r] */
  readonly left: Value;
  /** [k, columns, r] */
  readonly right: Value;
}

/** k tangents of one value, stacked or, for parameters, as products of thin factors. */
export type Tangent = StackedTangent | FactoredTangent;

/**
 * One ONNX operation: everything the library knows of it stands in this one object.
 */
export interface Op {
  /** Types of the outputs. */
  readonly shape: (node: NodeView) => ValueType[];
  /** What is known of the outputs' numbers before running. Absent: they are ordinary where the inputs are. */
  readonly range?: RangeRule;
  /** Default attributes; they also tell the builder whether a plain number is a float or an int. */
  readonly defaults?: Attributes;
  /**
   * Tangents of the outputs, [k, ...shape] each, from those of the inputs; undefined is a tangent of zeros. It is
   * called only when at least one input has a tangent. Absent: the outputs do not depend differentiably on the inputs.
   */
  readonly jvp?: (
    g: Emitter,
    node: ComputedNode,
    tangents: readonly (StackedTangent | undefined)[],
  ) => readonly (StackedTangent | undefined)[];
  /** Like `jvp`, for ops that profit from tangents in factored form; undefined declines, and they come stacked. */
  readonly jvpFactored?: (
    g: Emitter,
    node: ComputedNode,
    tangents: readonly (Tangent | undefined)[],
  ) => readonly (Tangent | undefined)[] | undefined;
  /**
   * The transpose, for ops that are linear in input `index` when the others are held: the cotangent of that input
   * from those of the outputs. At least one cotangent is given.
   */
  readonly transpose?: (
    g: Emitter,
    node: ComputedNode,
    cotangents: readonly (Value | undefined)[],
    index: number,
  ) => Value | undefined;
  /**
   * For composite ops: emits the node again as more primitive ones and returns its outputs, in order; undefined keeps
   * the node. Applied when a graph is brought into the emitted form, where all shapes are known; calculus is then
   * written for the primitives alone.
   *
   * @throws for forms of the op that are not supported: names the node and the remedy
   */
  readonly lower?: (g: Emitter, node: NodeView) => readonly (Value | undefined)[] | undefined;
  /**
   * The same outputs, in order, by nodes that an engine computes faster at these sizes; undefined keeps the node. Applied to
   * graphs that are about to run, when all calculus is done.
   */
  readonly faster?: (g: Emitter, node: NodeView) => readonly Value[] | undefined;
  /** Rewrites a node of an older opset into the emitted one; `constant` adds an initializer and returns its name. */
  readonly upgrade?: (node: Node, opset: number, constant: (tensor: Tensor) => string) => Node;
}

export function isFactored(tangent: Tangent | undefined): tangent is FactoredTangent {
  return tangent !== undefined && "left" in tangent;
}
