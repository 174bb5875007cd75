import type { GraphProto, NodeProto, ValueInfoProto } from "onnx-buf";
import { withFields } from "./messages/message.ts";

/** The node with other names for some values, in graphs inside it too. */
export function renamedNode(node: NodeProto, names: ReadonlyMap<string, string>): NodeProto {
  const rename = (name: string) => names.get(name) ?? name;
  const attribute = node.attribute.map((each) =>
    each.g ? withFields(each, { g: renamedGraph(each.g, names) }) : each,
  );
  return withFields(node, { input: node.input.map(rename), output: node.output.map(rename), attribute });
}

function renamedGraph(graph: GraphProto, names: ReadonlyMap<string, string>): GraphProto {
  const rename = (name: string) => names.get(name) ?? name;
  const values = (list: readonly ValueInfoProto[]) =>
    list.map((value) => withFields(value, { name: rename(value.name) }));
  return withFields(graph, {
    node: graph.node.map((inside) => renamedNode(inside, names)),
    initializer: graph.initializer.map((tensor) => withFields(tensor, { name: rename(tensor.name) })),
    input: values(graph.input),
    output: values(graph.output),
    valueInfo: values(graph.valueInfo),
  });
}

/** Every name that a list of nodes gives a value, in graphs inside the nodes too. */
export function definedNames(nodes: readonly NodeProto[]): string[] {
  return nodes.flatMap((node) => [
    ...node.output.filter((name) => name !== ""),
    ...node.attribute.flatMap(({ g }) => (g ? namesInside(g) : [])),
  ]);
}

function namesInside(graph: GraphProto): string[] {
  return [...graph.input, ...graph.initializer].map(({ name }) => name).concat(definedNames(graph.node));
}
