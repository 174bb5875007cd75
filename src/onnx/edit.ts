import { clone, toBinary } from "@bufbuild/protobuf";
import { ModelProtoSchema } from "onnx-buf";
import { decodeModel, type Model } from "./decode.ts";
import { embedExternalData, encodeNode, encodeTensor } from "./encode.ts";
import type { Node } from "./graph.ts";
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

/** The model with something inserted between its stored tensors and its nodes; everything else stays as it is. */
export function insertIntoModel(model: Model, insertion: Insertion): Model {
  const proto = clone(ModelProtoSchema, model.proto);
  const { graph } = proto;
  if (!graph) return model;
  embedExternalData(graph.initializer, model);
  for (const node of graph.node) node.input = node.input.map((name) => insertion.replaced.get(name) ?? name);
  for (const [name, tensor] of insertion.initializers) graph.initializer.push(encodeTensor(name, tensor));
  graph.node.unshift(...insertion.nodes.map(encodeNode));
  return decodeModel(toBinary(ModelProtoSchema, proto), { source: model.source });
}
