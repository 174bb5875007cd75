/** What rules emit nodes with: the ops as methods, constants, and questions about values that exist already. */
import type { Attribute, Value } from "../onnx/graph.ts";
import type { DType, Tensor } from "../onnx/tensor.ts";
import type { Operators, Term } from "./operators.ts";
import type { Range } from "./range.ts";
import type { NodeView } from "./view.ts";

/** What a node may read: a term, or nothing in place of an input that is left out. */
export type Operand = Term | undefined;

export type AttributeInput = Attribute | number | string | readonly number[];

/** Attributes by name. */
export type AttributeInputs = Readonly<Record<string, AttributeInput>>;

/** Emits nodes into a graph under construction. */
export interface Emitter extends Operators {
  /**
   * Appends a node and returns its outputs; `name` names the node.
   *
   * @throws when the op is not supported, or its operands or attributes do not fit
   */
  node(
    op: string,
    operands: readonly Operand[],
    attributes?: AttributeInputs,
    options?: { readonly name?: string; readonly outputs?: number },
  ): [first: Value, ...others: Value[]];
  /**
   * Appends a node with one output, of an op whose name is data; otherwise the op's method reads better.
   *
   * @throws when the op is not supported, or its operands or attributes do not fit
   */
  emit(op: string, operands: readonly Operand[], attributes?: AttributeInputs): Value;
  /** A constant of the tensor's shape [...]. */
  constant(tensor: Tensor): Value;
  /** A scalar constant, or one of so many axes of size 1; equal ones share one initializer. */
  scalar(dtype: DType, value: number, rank?: number): Value;
  /** The tensor behind a value that is constant in this graph, in the value's shape [...]. */
  constantOf(value: Value | undefined): Tensor | undefined;
  /** What a chain of Reshape nodes began with: the same numbers in the same order. */
  origin(value: Value): Value;
  /**
   * What is known of a value's numbers before running.
   *
   * @throws when an op on the way is not supported
   */
  rangeOf(value: Value): Range;
  /** The node that computes a value, as a rule sees it. */
  producer(value: Value): NodeView | undefined;
}
