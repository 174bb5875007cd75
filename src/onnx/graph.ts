/** What a graph is: values, nodes and parameters as plain data, and questions that one can ask it. */
import { ModelError } from "../errors/errors.ts";
import { bytesPerElement, type DType, elementCount, type Tensor } from "./tensor.ts";

/** A value of a graph: every value has a static element type and shape. */
export interface Value {
  /** Unique in the graph. */
  readonly name: string;
  /** Type of its elements. */
  readonly dtype: DType;
  /** Sizes of its axes; empty for a scalar. */
  readonly shape: readonly number[];
}

/** An attribute of a node: its type, and a `value` of that type; the numbers of float and floats are stored in 32 bits. */
export type Attribute =
  | { readonly type: "int"; readonly value: number }
  | { readonly type: "float"; readonly value: number }
  | { readonly type: "string"; readonly value: string }
  | { readonly type: "ints"; readonly value: readonly number[] }
  | { readonly type: "floats"; readonly value: readonly number[] }
  | { readonly type: "strings"; readonly value: readonly string[] }
  | { readonly type: "tensor"; readonly value: Tensor };

/** A node's attributes by name. */
export type Attributes = Readonly<Record<string, Attribute>>;

/** A whole number as an attribute. */
export const int = (value: number): Attribute => ({ type: "int", value });
/** A number as an attribute, stored in 32 bits. */
export const float = (value: number): Attribute => ({ type: "float", value });
/** A text as an attribute. */
export const string = (value: string): Attribute => ({ type: "string", value });
/** Whole numbers as an attribute. */
export const ints = (value: readonly number[]): Attribute => ({ type: "ints", value });

/** One operation. An omitted optional input or output is the empty string, as in ONNX. */
export interface Node {
  /** Its name in the file; may be empty, and is no value's name. */
  readonly name: string;
  /** The op: "MatMul". */
  readonly op: string;
  /** Whose op it is; empty for ONNX's own. */
  readonly domain: string;
  /** Names of the values that it reads, in the op's order. */
  readonly inputs: readonly string[];
  /** Names of the values that it computes, in the op's order. */
  readonly outputs: readonly string[];
  /** Its attributes by name; those that are absent have the op's defaults. */
  readonly attributes: Attributes;
}

/** A graph whose nodes are in topological order and whose values all have static shapes. */
export interface Graph {
  /** For messages and for the file. */
  readonly name: string;
  /** Version of ONNX's ops that the nodes follow. */
  readonly opset: number;
  /** What it must be fed. */
  readonly inputs: readonly Value[];
  /** What it computes. */
  readonly outputs: readonly Value[];
  /** Its operations in topological order. */
  readonly nodes: readonly Node[];
  /** Names of the trainable values: initializers, or inputs once `initializersToInputs` has moved them. */
  readonly parameters: readonly string[];
  /** Constants and parameters, by name. */
  readonly initializers: ReadonlyMap<string, Tensor>;
  /** Every value of the graph, by name. */
  readonly values: ReadonlyMap<string, Value>;
}

/** "[64, 784]" */
export function formatShape(shape: readonly (number | string | undefined)[]): string {
  return `[${shape.map((dimension) => dimension ?? "?").join(", ")}]`;
}

/** How messages name a node: its name where it has one, otherwise its first output. */
export function describeNode(node: Node): string {
  return `${node.op} node '${nodeName(node)}'`;
}

/** The node's name, or that of its first output where it has none. */
export function nodeName(node: Node): string {
  return node.name || node.outputs.find((output) => output !== "") || "?";
}

/** The value of this name; a named error where the graph has none. */
export function getValue(graph: Pick<Graph, "name" | "values" | "inputs" | "outputs">, name: string): Value {
  const value = graph.values.get(name);
  if (!value) {
    throw new ModelError(
      `The graph '${graph.name}' has no value named '${name}'; its inputs are ${graph.inputs
        .map((input) => `'${input.name}'`)
        .join(", ")} and its outputs ${graph.outputs.map((output) => `'${output.name}'`).join(", ")}.`,
    );
  }
  return value;
}

/** Which node computes each value. */
export function producers(graph: { readonly nodes: readonly Node[] }): Map<string, Node> {
  const result = new Map<string, Node>();
  for (const node of graph.nodes)
    for (const output of node.outputs) if (output !== "") result.set(output, node);
  return result;
}

/** Which nodes read each value. */
export function consumers(graph: { readonly nodes: readonly Node[] }): Map<string, Node[]> {
  const result = new Map<string, Node[]>();
  for (const node of graph.nodes) {
    for (const input of new Set(node.inputs)) {
      if (input === "") continue;
      const list = result.get(input);
      if (list) list.push(node);
      else result.set(input, [node]);
    }
  }
  return result;
}

/** The names of all values that depend on one of the given ones, those included. */
export function dependents(graph: { readonly nodes: readonly Node[] }, roots: Iterable<string>): Set<string> {
  const reached = new Set(roots);
  for (const node of graph.nodes)
    if (node.inputs.some((input) => reached.has(input)))
      for (const output of node.outputs) if (output !== "") reached.add(output);
  return reached;
}

/** The graph that computes only `outputs` (default: its own), without nodes and initializers nobody reads. */
export function prune(graph: Graph, outputs: readonly Value[] = graph.outputs): Graph {
  const needed = new Set(outputs.map((output) => output.name));
  const nodes: Node[] = [];
  for (const node of [...graph.nodes].reverse()) {
    if (!node.outputs.some((output) => needed.has(output))) continue;
    nodes.push(node);
    for (const input of node.inputs) needed.add(input);
  }
  nodes.reverse();
  const initializers = new Map([...graph.initializers].filter(([name]) => needed.has(name)));
  const values = new Map<string, Value>();
  for (const value of [...graph.inputs, ...outputs]) values.set(value.name, value);
  for (const name of initializers.keys()) values.set(name, getValue(graph, name));
  for (const node of nodes)
    for (const output of node.outputs) if (output !== "") values.set(output, getValue(graph, output));
  return { ...graph, outputs, nodes, initializers, values };
}

/** The graph with some of its initializers turned into plain inputs, in the order given. */
export function initializersToInputs(graph: Graph, names: readonly string[]): Graph {
  const moved = new Set(names);
  return {
    ...graph,
    inputs: [...graph.inputs, ...names.map((name) => getValue(graph, name))],
    initializers: new Map([...graph.initializers].filter(([name]) => !moved.has(name))),
  };
}

/** Bytes that all values of the graph would take if they were alive at once. */
export function totalBytes(values: Iterable<Value>): number {
  let bytes = 0;
  for (const value of values) bytes += elementCount(value.shape) * bytesPerElement(value.dtype);
  return bytes;
}
