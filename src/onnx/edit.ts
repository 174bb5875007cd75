import type { ModelProto, NodeProto } from "onnx-buf";
import { isConstantOf } from "./constants.ts";
import { encodeNode, encodeTensor } from "./encode.ts";
import type { Node } from "./graph.ts";
import { toHalf } from "./half-precision.ts";
import { withFields } from "./messages/message.ts";
import { type Model, readModel } from "./read-model.ts";
import { dtypeFromNumber, isHalf, type Tensor } from "./tensor.ts";

/** Something between a model's stored tensors and the nodes that read them. */
export interface Insertion {
  /** New stored tensors, by name. */
  readonly initializers: ReadonlyMap<string, Tensor>;
  /** New nodes that read stored tensors alone; they come first. */
  readonly nodes: readonly Node[];
  /** Stored tensor → the value that the model's own nodes read instead. */
  readonly replaced: ReadonlyMap<string, string>;
  /** Computed value → the name that it gets, and the nodes right behind it, which compute it anew. Default: none. */
  readonly behind?: ReadonlyMap<string, { readonly renamed: string; readonly nodes: readonly Node[] }>;
}

/**
 * The model with something inserted between its stored tensors and its nodes; everything else stays as it is. The two
 * share the numbers of the stored tensors.
 */
export function insertIntoModel(model: Model, insertion: Insertion): Model {
  const { file, source, limits } = model;
  const edited = readModel(inserted(model, model.proto, insertion), source, limits);
  return file ? { ...edited, file: { ...file, proto: inserted(model, file.proto, insertion) } } : edited;
}

function inserted(model: Model, proto: ModelProto, insertion: Insertion): ModelProto {
  const { graph } = proto;
  if (!graph) return proto;
  const types = new Map(graph.initializer.map(({ name, dataType }) => [name, dtypeFromNumber(dataType)]));
  // What is inserted before a tensor of 16 bits has its type.
  const typed = (name: string, tensor: Tensor) => {
    const target = [...insertion.replaced.keys()].find(
      (key) => name.startsWith(`${key}.`) || name.startsWith(`${key}/`),
    );
    const dtype = types.get(target ?? "");
    return dtype && isHalf(dtype) && tensor.dtype === "float32" ? toHalf(tensor, dtype) : tensor;
  };
  const added = [...insertion.initializers].map(([name, tensor]) => encodeTensor(name, typed(name, tensor)));
  const initializer = [...graph.initializer, ...added];
  const kept = graph.node.map((node) =>
    withFields(node, { input: node.input.map((name) => insertion.replaced.get(name) ?? name) }),
  );
  // Weights may lie in Constant nodes.
  const isStored = (each: NodeProto) => isConstantOf(each, model.initializers);
  const node = [
    ...kept.filter(isStored),
    ...insertion.nodes.map(encodeNode),
    ...kept.filter((each) => !isStored(each)).flatMap((each) => withNodesBehind(each, insertion.behind)),
  ];
  return withFields(proto, { graph: withFields(graph, { initializer, node }) });
}

/** The node with its results renamed, and the nodes that compute those anew. */
function withNodesBehind(node: NodeProto, behind: Insertion["behind"] = new Map()): NodeProto[] {
  const found = node.output.flatMap((name) => behind.get(name) ?? []);
  if (found.length === 0) return [node];
  const output = node.output.map((name) => behind.get(name)?.renamed ?? name);
  return [withFields(node, { output }), ...found.flatMap(({ nodes }) => nodes.map(encodeNode))];
}
