import { type Attribute, formatShape, type Node } from "./graph.ts";
import { printable } from "./printable.ts";
import type { Model, ModelValue } from "./read-model.ts";
import { elementCount, type Tensor } from "./tensor.ts";

/** Types of values by name, with dimensions as they should be shown. */
export type ShownTypes = ReadonlyMap<string, string>;

/**
 * A model as readable text: inputs, stored tensors, one line for each node, outputs. Names are shown as `printable` has
 * them.
 *
 * @param types what to show as the type of computed values; default: nothing
 */
export function printModel(model: Model, types: ShownTypes = new Map()): string {
  const count = [...model.initializers.values()].reduce((total, { shape }) => total + elementCount(shape), 0);
  const named = (name: string) => (types.has(name) ? `${name}: ${types.get(name)}` : name);
  const width = Math.min(60, Math.max(0, ...model.nodes.map((node) => shownOutputs(node, named).length)));
  return [
    `${model.source}: '${model.name}', opset ${model.opset}, ${model.nodes.length} nodes, ` +
      `${count.toLocaleString("en")} numbers in ${model.initializers.size} initializers`,
    "",
    ...model.inputs.map((input) => `input   ${printValue(input)}`),
    ...[...model.initializers].map(
      ([name, tensor]) => `stored  ${name}: ${tensor.dtype} ${formatShape(tensor.shape)}`,
    ),
    "",
    ...model.nodes.map((node) => `${shownOutputs(node, named).padEnd(width)} = ${printCall(node)}`),
    "",
    ...model.outputs.map((output) => `output  ${printValue(output)}`),
    "",
  ]
    .map(printable)
    .join("\n");
}

function shownOutputs(node: Node, named: (name: string) => string): string {
  return node.outputs.map((name) => (name === "" ? "_" : named(name))).join(", ");
}

function printValue({ name, dtype, dimensions }: ModelValue): string {
  return `${name}: ${dtype} ${dimensions ? formatShape(dimensions) : "of any shape"}`;
}

function printCall(node: Node): string {
  const inputs = node.inputs.map((name) => name || "_");
  const attributes = Object.entries(node.attributes).map(
    ([name, attribute]) => `${name}=${printAttribute(attribute)}`,
  );
  const op = node.domain === "" ? node.op : `${node.domain}::${node.op}`;
  return `${op}(${[...inputs, ...attributes].join(", ")})`;
}

function printAttribute(attribute: Attribute): string {
  if (attribute.type === "tensor") return printTensor(attribute.value);
  return Array.isArray(attribute.value) ? `[${attribute.value.join(", ")}]` : String(attribute.value);
}

function printTensor({ dtype, shape, data }: Tensor): string {
  const values =
    data.length <= 8 ? ` {${Array.from(data as ArrayLike<number | bigint>, String).join(", ")}}` : "";
  return `${dtype} ${formatShape(shape)}${values}`;
}
