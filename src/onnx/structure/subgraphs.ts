/** Graphs inside nodes, and the nodes that are written in place of those. */
import { create } from "@bufbuild/protobuf";
import type { GraphProto, NodeProto, TensorProto } from "onnx-buf";
import { encodeNode } from "../encode.ts";
import { type Attributes, int, ints } from "../graph.ts";
import { withFields } from "../messages/message.ts";
import { AttributeProtoSchema, AttributeType } from "../messages/schemas.ts";
import { renamedNode } from "../rename.ts";
import { int64, type Tensor } from "../tensor.ts";

/** The graph inside a node under this attribute's name. */
export function subgraph({ attribute }: NodeProto, name: string): GraphProto | undefined {
  return attribute.find((each) => each.name === name)?.g;
}

/** Names of all values that a node reads, by graphs inside it too; those may be values of their own. */
export function readsOf(node: NodeProto): string[] {
  const inside = node.attribute.flatMap(({ g }) =>
    g ? [...g.node.flatMap(readsOf), ...g.output.map(({ name }) => name)] : [],
  );
  return [...node.input, ...inside].filter((name) => name !== "");
}

/** Whether this holds for a node, or for one of those in the graphs inside it. */
export function someInside(node: NodeProto, holds: (node: NodeProto) => boolean): boolean {
  return (
    holds(node) || node.attribute.some(({ g }) => g?.node.some((inner) => someInside(inner, holds)) ?? false)
  );
}

/** Nodes, those in graphs inside them included. */
export function countNodes(nodes: readonly NodeProto[]): number {
  return nodes.reduce(
    (total, { attribute }) =>
      total + 1 + attribute.reduce((inner, { g }) => inner + (g ? countNodes(g.node) : 0), 0),
    0,
  );
}

/**
 * A graph inside a node as nodes of the graph around it; names of nodes and values get `prefix` in front.
 *
 * @param inputs the values around it that its inputs stand for, in order
 * @returns the nodes, and the names of what its outputs are then
 */
export function inlineGraph(
  body: GraphProto,
  prefix: string,
  inputs: readonly string[] = [],
): { readonly nodes: NodeProto[]; readonly results: string[] } {
  const stored = body.initializer.map((tensor) => storedNode(tensor.name, tensor));
  const inner = [...stored, ...body.node];
  const names = new Map(body.input.flatMap(({ name }, index) => [[name, inputs[index] ?? ""] as const]));
  for (const value of inner.flatMap((node) => node.output))
    if (value !== "") names.set(value, `${prefix}/${value}`);
  const nodes = inner.map((node) =>
    withFields(renamedNode(node, names), { name: node.name === "" ? "" : `${prefix}/${node.name}` }),
  );
  return { nodes, results: body.output.map((result) => names.get(result.name) ?? result.name) };
}

/** A node of the default domain. */
export function plainNode(
  op: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: Attributes = {},
): NodeProto {
  return encodeNode({ name: "", op, domain: "", inputs, outputs, attributes });
}

/** Copies values under other names; where none is wanted, the name is empty. */
export function copies(from: readonly string[], to: readonly string[]): NodeProto[] {
  return to.flatMap((name, index) =>
    name === "" ? [] : [plainNode("Identity", from.slice(index, index + 1), [name])],
  );
}

/** A Constant node. */
export function constantNode(name: string, value: Tensor): NodeProto {
  return plainNode("Constant", [], [name], { value: { type: "tensor", value } });
}

/** A Constant node of a tensor as a file stores it. */
function storedNode(name: string, t: TensorProto): NodeProto {
  const value = create(AttributeProtoSchema, { name: "value", type: AttributeType.TENSOR, t });
  return withFields(plainNode("Constant", [], [name]), { attribute: [value] });
}

/** Reads an attribute of one whole number. */
export function wholeAttribute({ attribute }: NodeProto, name: string, fallback: number): number {
  const found = attribute.find((each) => each.name === name);
  return found ? Number(found.i) : fallback;
}

/** Reads an attribute of a list of whole numbers. */
export function wholesAttribute({ attribute }: NodeProto, name: string): number[] {
  return (attribute.find((each) => each.name === name)?.ints ?? []).map(Number);
}

/** An op whose axes or sizes are an attribute before opset 13 and an input from then on. */
export function withNumbers(
  op: "Split" | "Squeeze" | "Unsqueeze",
  input: string,
  outputs: readonly string[],
  numbers: readonly number[],
  opset: number,
  attributes: Attributes = {},
): NodeProto[] {
  const kind = op === "Split" ? "split" : "axes";
  if (opset < 13) return [plainNode(op, [input], outputs, { ...attributes, [kind]: ints(numbers) })];
  const name = `${outputs[0]}/${kind}`;
  return [constantNode(name, int64(numbers)), plainNode(op, [input, name], outputs, attributes)];
}

/** The tensors as slices of one, on a new axis. */
export function stack(values: readonly string[], output: string, axis: number, opset: number): NodeProto[] {
  const slices = values.map((_, index) => `${output}/${index}`);
  return [
    ...values.flatMap((value, index) =>
      withNumbers("Unsqueeze", value, [slices[index] as string], [axis], opset),
    ),
    plainNode("Concat", slices, [output], { axis: int(axis) }),
  ];
}
