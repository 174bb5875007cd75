/** What rules see of a node: its inputs, what is known of them before running, and its attributes. */
import type { Node, Value } from "../onnx/graph.ts";
import type { DType, Tensor } from "../onnx/tensor.ts";

/** Element type and shape of a value that has no name yet. */
export interface ValueType {
  /** Type of the elements. */
  readonly dtype: DType;
  /** Sizes of the axes; empty for a scalar. */
  readonly shape: readonly number[];
}

/** What a shape rule sees of a node. */
export interface NodeView {
  /** The node itself. */
  readonly node: Node;
  /** What it reads; undefined for omitted inputs. */
  readonly inputs: readonly (Value | undefined)[];
  /** The values of input `index` where they are known before running, in the input's shape [...]. */
  constant(index: number): Tensor | undefined;
}

/** What a derivative rule sees of a node: its outputs exist already. */
export interface ComputedNode extends NodeView {
  /** What it computes. */
  readonly outputs: readonly Value[];
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
