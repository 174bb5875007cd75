import type { NodeProto } from "onnx-buf";
import { isConstantOf } from "./constants.ts";
import { encodeNode, encodeTensor } from "./encode.ts";
import type { Node } from "./graph.ts";
import { withFields } from "./messages/message.ts";
import { type Model, readModel } from "./read-model.ts";
import type { Tensor } from "./tensor.ts";

/** Something between a model's stored tensors and the nodes that read them. */
export interface Insertion {
  /** New stored tensors, by name. */
  readonly initializers: ReadonlyMap<string, Tensor>;
  /** New nodes that read stored tensors alone; they come first. */
  readonly nodes: readonly Node[];
  /** Stored tensor → the value that the model's own nodes read instead. */
  readonly replaced: ReadonlyMap<string, string>;
}

/**
 * The model with something inserted between its stored tensors and its nodes; everything else stays as it is. The two
 * share the numbers of the stored tensors.
 */
export function insertIntoModel(model: Model, insertion: Insertion): Model {
  const { graph } = model.proto;
  if (!graph) return model;
  const added = [...insertion.initializers].map(([name, tensor]) => encodeTensor(name, tensor));
  const initializer = [...graph.initializer, ...added];
  const kept = graph.node.map((node) =>
    withFields(node, { input: node.input.map((name) => insertion.replaced.get(name) ?? name) }),
  );
  // Weights may lie in Constant nodes.
  const isStored = (each: NodeProto) => isConstantOf(each, model.initializers);
  const node = [
    ...kept.filter(isStored),
    ...insertion.nodes.map(encodeNode),
    ...kept.filter((each) => !isStored(each)),
  ];
  const proto = withFields(model.proto, { graph: withFields(graph, { initializer, node }) });
  return readModel(proto, model.source, model.limits);
}
