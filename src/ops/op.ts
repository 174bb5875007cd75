import type { Attribute, Attributes, Node, Value } from "../onnx/graph.ts";
import type { DType, Tensor } from "../onnx/tensor.ts";
import type { Range, RangeRule } from "./range.ts";

/** Element type and shape of a value that has no name yet. */
export interface ValueType {
  readonly dtype: DType;
  readonly shape: readonly number[];
}

/** What a shape rule sees of a node. */
export interface NodeView {
  readonly node: Node;
  readonly inputs: readonly (Value | undefined)[];
  /** The values of input `index` where they are known before running. */
  constant(index: number): Tensor | undefined;
}

/** What a derivative rule sees of a node: its outputs exist already. */
export interface ComputedNode extends NodeView {
  readonly outputs: readonly Value[];
}

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

/** An operand: a value, a plain number (a scalar constant), numbers (a 1-D int64 constant), or an omitted input. */
export type Operand = Value | number | readonly number[] | undefined;

export type AttributeInput = Attribute | number | string | readonly number[];

/** Emits nodes into a graph under construction. */
export interface Emitter {
  /** Appends a node and returns its outputs; `name` names the node. */
  node(
    op: string,
    operands: readonly Operand[],
    attributes?: Readonly<Record<string, AttributeInput>>,
    options?: { readonly name?: string; readonly outputs?: number },
  ): Value[];
  /** Appends a node with one output. */
  emit(
    op: string,
    operands: readonly Operand[],
    attributes?: Readonly<Record<string, AttributeInput>>,
  ): Value;
  /** A constant of this type; equal scalars share one initializer. */
  constant(tensor: Tensor): Value;
  /** A scalar constant. */
  scalar(dtype: DType, value: number): Value;
  /** The tensor behind a value that is constant in this graph. */
  constantOf(value: Value | undefined): Tensor | undefined;
  /** What a chain of Reshape nodes began with: the same numbers in the same order. */
  origin(value: Value): Value;
  /** What is known of a value's numbers before running. */
  rangeOf(value: Value): Range;
  /** The node that computes a value, as a rule sees it. */
  producer(value: Value): NodeView | undefined;
}

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
  readonly lower?: (g: Emitter, node: NodeView) => readonly Value[] | undefined;
  /** Rewrites a node of an older opset into the emitted one; `constant` adds an initializer and returns its name. */
  readonly upgrade?: (node: Node, opset: number, constant: (tensor: Tensor) => string) => Node;
}

export function isFactored(tangent: Tangent | undefined): tangent is FactoredTangent {
  return tangent !== undefined && "left" in tangent;
}

/** Reads an int attribute, from the node or else from the op's defaults. */
export function intAttribute(node: Node, name: string, fallback: number): number {
  const attribute = node.attributes[name];
  return attribute?.type === "int" ? attribute.value : fallback;
}

export function floatAttribute(node: Node, name: string, fallback: number): number {
  const attribute = node.attributes[name];
  return attribute?.type === "float" ? attribute.value : fallback;
}

export function intsAttribute(node: Node, name: string): readonly number[] | undefined {
  const attribute = node.attributes[name];
  return attribute?.type === "ints" ? attribute.value : undefined;
}

/** Reads a list of strings; empty where the node has none. */
export function stringsAttribute(node: Node, name: string): readonly string[] {
  const attribute = node.attributes[name];
  return attribute?.type === "strings" ? attribute.value : [];
}

export function stringAttribute(node: Node, name: string, fallback: string): string {
  const attribute = node.attributes[name];
  return attribute?.type === "string" ? attribute.value : fallback;
}
