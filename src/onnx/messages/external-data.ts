import type {
  AttributeProto,
  GraphProto,
  ModelProto,
  NodeProto,
  SparseTensorProto,
  TensorProto,
} from "onnx-buf";
import { ModelError } from "../../errors/errors.ts";
import { words } from "../../errors/words.ts";
import { howToRaise, type Limits } from "../../limits/limits.ts";
import { scanModel } from "./scan.ts";
import { DataLocation } from "./schemas.ts";

/** Reads a file of tensor data, by its location relative to the model file. */
export type ReadExternal = (location: string) => Uint8Array;

/**
 * Moves the numbers that a model keeps in other files into its messages, at every level: from here on nothing knows of
 * other files, and no engine is given a model for which it would read any.
 *
 * @throws when a location leads out of the model's folder, no `read` is given, the bytes are not there, or they are more
 * than `limits` allow
 */
export function embedExternalData(
  proto: ModelProto,
  source: string,
  limits: Limits,
  read?: ReadExternal,
): void {
  const files = new Map<string, Uint8Array>();
  // One file holds many tensors.
  const fileAt = (location: string, name: string) => {
    const file = files.get(location) ?? read?.(location);
    if (!file) {
      throw new ModelError(
        `${source}: tensor '${name}' keeps its data in '${location}'; pass \`external\` to read that file.`,
        { source },
      );
    }
    files.set(location, file);
    return file;
  };
  let total = 0;
  for (const tensor of tensorsOf(proto)) {
    if (tensor.dataLocation === DataLocation.EXTERNAL) {
      const bytes = externalBytes(tensor, source, fileAt);
      total += bytes.length;
      if (total > limits.modelBytes) {
        throw new ModelError(
          words`${source}: its tensors take more than ${total.toLocaleString("en")} bytes of other files;
            ${howToRaise("modelBytes", limits)}`,
          { source },
        );
      }
      // A copy: a view would keep the whole file in memory.
      tensor.rawData = new Uint8Array(bytes);
    }
    tensor.dataLocation = DataLocation.DEFAULT;
    tensor.externalData = [];
  }
}

/**
 * The check in front of every engine, which would read the files that a model names.
 *
 * @throws when a tensor of the model keeps its numbers outside of these bytes
 */
export function refuseExternalData(model: Uint8Array): void {
  const { external } = scanModel(model);
  if (external === undefined) return;
  throw new ModelError(
    `The tensor '${external}' keeps its data in another file; an engine is given complete models only. Decode the file ` +
      "with decodeModel and its option `external`, which puts the data into the model.",
  );
}

function externalBytes(
  tensor: TensorProto,
  source: string,
  fileAt: (location: string, name: string) => Uint8Array,
): Uint8Array {
  const entries = new Map(tensor.externalData.map((entry) => [entry.key, entry.value]));
  const location = entries.get("location") ?? "";
  // The location must stay inside the model's folder, or a model file could read any file of the machine.
  if (location === "" || /^([/\\]|[A-Za-z]:)/.test(location) || location.split(/[/\\]/).includes("..")) {
    throw new ModelError(
      `${source}: tensor '${tensor.name}' keeps its data at '${location}'; expected a file beside the model.`,
      { source },
    );
  }
  const file = fileAt(location, tensor.name);
  const offset = Number(entries.get("offset") ?? 0);
  const length = entries.has("length") ? Number(entries.get("length")) : file.length - offset;
  const isRange = [offset, length].every((number) => Number.isSafeInteger(number) && number >= 0);
  if (!isRange || offset + length > file.length) {
    throw new ModelError(
      `${source}: tensor '${tensor.name}' needs bytes ${offset} to ${offset + length} of '${location}', which has ` +
        `${file.length}; the data file is damaged or belongs to another model.`,
      { source },
    );
  }
  return file.subarray(offset, offset + length);
}

/** Every tensor that a model stores, in its graphs, attributes and local functions. */
function* tensorsOf(proto: ModelProto): Generator<TensorProto> {
  if (proto.graph) yield* tensorsOfGraph(proto.graph);
  for (const training of proto.trainingInfo)
    for (const graph of [training.initialization, training.algorithm])
      if (graph) yield* tensorsOfGraph(graph);
  for (const { node, attributeProto } of proto.functions) {
    yield* tensorsOfNodes(node);
    yield* tensorsOfAttributes(attributeProto);
  }
}

function* tensorsOfGraph(graph: GraphProto): Generator<TensorProto> {
  yield* graph.initializer;
  yield* tensorsOfSparse(graph.sparseInitializer);
  yield* tensorsOfNodes(graph.node);
}

function* tensorsOfNodes(nodes: readonly NodeProto[]): Generator<TensorProto> {
  for (const { attribute } of nodes) yield* tensorsOfAttributes(attribute);
}

function* tensorsOfAttributes(attributes: readonly AttributeProto[]): Generator<TensorProto> {
  for (const { t, tensors, g, graphs, sparseTensor, sparseTensors } of attributes) {
    if (t) yield t;
    yield* tensors;
    yield* tensorsOfSparse(sparseTensor ? [sparseTensor, ...sparseTensors] : sparseTensors);
    for (const graph of g ? [g, ...graphs] : graphs) yield* tensorsOfGraph(graph);
  }
}

function* tensorsOfSparse(sparse: readonly SparseTensorProto[]): Generator<TensorProto> {
  for (const { values, indices } of sparse) for (const tensor of [values, indices]) if (tensor) yield tensor;
}
