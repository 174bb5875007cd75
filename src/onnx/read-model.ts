/** From the message of an ONNX file to a model. */
import { create } from "@bufbuild/protobuf";
import type { AttributeProto, ModelProto, NodeProto, TensorProto, ValueInfoProto } from "onnx-buf";
import { ModelError } from "../errors/errors.ts";
import { words } from "../errors/words.ts";
import { defaultLimits, type Limits } from "../limits/limits.ts";
import { storeConstants } from "./constants.ts";
import { type Attribute, describeNode, formatShape, type Node, nodeName } from "./graph.ts";
import { AttributeType, DataType, GraphProtoSchema } from "./messages/schemas.ts";
import {
  bytesPerElement,
  type DType,
  dataFromBytes,
  dtypeFromNumber,
  elementCount,
  type Tensor,
  tensorOf,
} from "./tensor.ts";
import { refusedSize } from "./value-size.ts";

/** An input or output of a model file. */
export interface ModelValue {
  /** Its name in the file. */
  readonly name: string;
  /** Type of its elements. */
  readonly dtype: DType;
  /** Each a number, a symbol's name, or open without a name; undefined where the file says nothing of the shape. */
  readonly dimensions: readonly (number | string | undefined)[] | undefined;
}

/** A decoded ONNX file: what training needs of it, beside the message it came from, which saving starts from. */
export interface Model {
  /** Where it came from, for messages. */
  readonly source: string;
  /** The file as a protobuf message; what is saved starts from it. */
  readonly proto: ModelProto;
  /** The file's own message, where `proto` computes in another precision than the file; what is saved starts from it. */
  readonly file?: OriginalFile;
  /** The graph's name. */
  readonly name: string;
  /** Version of the ops of the domain "ai.onnx". */
  readonly opset: number;
  /** What it must be fed, without stored tensors. */
  readonly inputs: readonly ModelValue[];
  /** What it computes. */
  readonly outputs: readonly ModelValue[];
  /** Its operations in topological order, local functions inlined. */
  readonly nodes: readonly Node[];
  /** Stored tensors: the file's initializers, and weights that it keeps in Constant nodes (`constants.ts`). */
  readonly initializers: ReadonlyMap<string, Tensor>;
  /** Initializers that the file declares to be no parameters, as PyTorch's exporter does for a module's buffers. */
  readonly buffers: ReadonlySet<string>;
  /** Initializers that the file declares to be parameters; empty where it tells nothing of the kind. */
  readonly declared: ReadonlySet<string>;
  /** What the file may ask for. */
  readonly limits: Limits;
  /** A head that was put on it. */
  readonly head?: Head;
}

/** A linear layer that was put on a model's value, and what is trained with it. */
export interface Head {
  /** The value that it reads. */
  readonly from: string;
  /** Sizes of that value's axes; undefined where they are open. */
  readonly shape: readonly (number | undefined)[];
  /** What becomes of the positions of that value, in words. */
  readonly pooling: string;
  /** The node of an earlier head that was cut off. Default: none was. */
  readonly cut?: string;
  /** Numbers that it makes of each example, or of each position. */
  readonly outputs: number;
  /** Names of its weight [outputs, width] and bias [outputs]. */
  readonly parameters: readonly string[];
  /** Names of the tensors that are trained with it, besides adapters; or all that are trained where nobody says so. */
  readonly beside: readonly string[] | "all";
  /** The share of a run's steps in which it is trained alone, before all else joins. */
  readonly alone: number;
}

/** The message of a file that holds floats in fewer bits than are computed with. */
export interface OriginalFile {
  readonly proto: ModelProto;
  /** A float32 tensor [...] rounded to the type that the file holds it in; as it is where that is float32. */
  rounded(tensor: Tensor, dtype: DType): Tensor;
  /** Tensors by name as they are read again, after the file held them. */
  asRead(replaced: ReadonlyMap<string, Tensor>): ReadonlyMap<string, Tensor>;
}

/** Opset versions of the default domain that are read. */
export const supportedOpsets = { oldest: 7, newest: 24 } as const;

/**
 * A model from its message, with which it shares the numbers of stored tensors.
 *
 * @throws as `decodeModel`
 */
export function readModel(proto: ModelProto, source: string, limits: Limits = defaultLimits): Model {
  const graph = proto.graph ?? create(GraphProtoSchema);
  const opset = opsetOf(proto, source);
  const stored = new Set(graph.initializer.map(({ name }) => name));
  // Texts, such as the names of classes, are for nodes behind what is trained.
  const isText = ({ dataType }: TensorProto) => dataType === DataType.STRING;
  const initializers = new Map(
    graph.initializer
      .filter((initializer) => !isText(initializer))
      .map((initializer) => [initializer.name, decodeTensor(initializer, source, limits)]),
  );
  if (graph.sparseInitializer.length > 0) {
    throw new ModelError(
      `${source} has sparse initializers ('${graph.sparseInitializer[0]?.values?.name ?? "?"}'), which are not ` +
        "supported; export the model with dense weights.",
      { source },
    );
  }
  const inputs = graph.input
    .filter((input) => !stored.has(input.name))
    .map((input) => decodeValue(input, source));
  // Lists of maps and texts, which tools for classical models add, are kept in the file and are no outputs for us.
  const outputs = graph.output
    .filter(({ type }) => type?.value.case === "tensorType" && dtypeFromNumber(type.value.value.elemType))
    .map((output) => decodeValue(output, source));
  const nodes = sortNodes(
    graph.node.map((node) => decodeNode(node, source, limits)),
    new Set([...inputs.map((input) => input.name), ...stored]),
    source,
  );
  const computed = new Set(nodes.flatMap((node) => node.outputs));
  for (const output of outputs) {
    if (!computed.has(output.name) && !initializers.has(output.name) && !inputs.includes(output)) {
      const isInput = inputs.some((input) => input.name === output.name);
      if (!isInput)
        throw new ModelError(`${source}: nothing computes the graph output '${output.name}'.`, { source });
    }
  }
  const kinds = graph.valueInfo.flatMap((info) => {
    const kind = kindOf(info);
    return kind === undefined ? [] : [[info.name, kind] as const];
  });
  const named = (isParameter: boolean) =>
    new Set(kinds.flatMap(([name, kind]) => ((kind === "PARAMETER") === isParameter ? [name] : [])));
  return storeConstants({
    source,
    proto,
    name: graph.name,
    opset,
    inputs,
    outputs,
    nodes,
    initializers,
    buffers: named(false),
    declared: named(true),
    limits,
  });
}

/** What PyTorch's exporter says a stored tensor is; undefined where the file does not say it. */
function kindOf({ metadataProps }: ValueInfoProto): string | undefined {
  const key = "pkg.torch.export.graph_signature.InputSpec.kind";
  return metadataProps.find((entry) => entry.key === key)?.value;
}

function opsetOf(proto: ModelProto, source: string): number {
  const found = proto.opsetImport.find((entry) => entry.domain === "" || entry.domain === "ai.onnx");
  const opset = Number(found?.version ?? 0);
  if (opset < supportedOpsets.oldest || opset > supportedOpsets.newest) {
    throw new ModelError(
      `${source} uses opset ${found ? opset : "none"} of the default ONNX domain; expected ` +
        `${supportedOpsets.oldest} to ${supportedOpsets.newest}. Export it again with an opset_version in that range, ` +
        "or convert it with onnx.version_converter.",
      { source },
    );
  }
  return opset;
}

function decodeValue(info: ValueInfoProto, source: string): ModelValue {
  const type = info.type?.value;
  if (type?.case !== "tensorType") {
    throw new ModelError(
      `${source}: '${info.name}' is a ${type?.case ?? "value without a type"}; expected a tensor. Sequences, maps and ` +
        "optional values are not supported; export the model with tensor inputs and outputs.",
      { source },
    );
  }
  const dtype = dtypeFromNumber(type.value.elemType);
  if (!dtype) {
    throw new ModelError(
      `${source}: '${info.name}' has ONNX element type ${type.value.elemType}, which is not supported.`,
      { source },
    );
  }
  const dimensions = type.value.shape?.dim.map((dimension) => {
    // Tools that know no symbols write -1 or 0 for an open dimension.
    if (dimension.value.case === "dimValue")
      return dimension.value.value > 0n ? Number(dimension.value.value) : undefined;
    return dimension.value.case === "dimParam" && dimension.value.value !== ""
      ? dimension.value.value
      : undefined;
  });
  return { name: info.name, dtype, dimensions };
}

/** Decodes a tensor that is held in its message. */
export function decodeTensor(proto: TensorProto, source: string, limits: Limits = defaultLimits): Tensor {
  const dtype = dtypeFromNumber(proto.dataType);
  if (!dtype) {
    throw new ModelError(
      `${source}: tensor '${proto.name}' has ONNX element type ${proto.dataType}, which is not supported.`,
      { source },
    );
  }
  const shape = proto.dims.map(Number);
  const size = refusedSize({ dtype, shape }, limits);
  if (size !== undefined) {
    throw new ModelError(words`${source}: tensor '${proto.name}' of ${dtype} ${formatShape(shape)} ${size}`, {
      source,
    });
  }
  const count = elementCount(shape);
  const bytes = proto.rawData;
  if (bytes.length > 0) {
    const expected = count * bytesPerElement(dtype);
    if (bytes.length !== expected) {
      throw new ModelError(
        `${source}: tensor '${proto.name}' of ${dtype} ${formatShape(shape)} needs ${expected} bytes, received ` +
          `${bytes.length}; the file is damaged or was cut off.`,
        { source },
      );
    }
    return { dtype, shape, data: dataFromBytes(dtype, bytes) };
  }
  const listed: readonly (number | bigint)[] =
    dtype === "float32"
      ? proto.floatData
      : dtype === "float64"
        ? proto.doubleData
        : dtype === "int64"
          ? proto.int64Data
          : dtype === "uint32" || dtype === "uint64"
            ? proto.uint64Data
            : proto.int32Data;
  if (listed.length !== count) {
    throw new ModelError(
      `${source}: tensor '${proto.name}' of ${dtype} ${formatShape(shape)} needs ${count} elements, received ` +
        `${listed.length}; the file is damaged or was cut off.`,
      { source },
    );
  }
  return tensorOf(dtype, listed as readonly number[], shape);
}

/** @internal for the other files of this folder */
export function decodeNode(proto: NodeProto, source: string, limits: Limits): Node {
  const attributes = Object.fromEntries(
    proto.attribute.flatMap((attribute) => {
      const decoded = decodeAttribute(attribute, source, limits);
      return decoded ? [[attribute.name, decoded] as const] : [];
    }),
  );
  return {
    name: pathOf(proto),
    op: proto.opType,
    domain: proto.domain === "ai.onnx" ? "" : proto.domain,
    inputs: proto.input,
    outputs: proto.output,
    attributes,
  };
}

/**
 * A node's name; behind the path of its module, as names of PyTorch's older exporter are, where its newer one keeps that apart:
 * "/encoder/layer.0/node_MatMul_3" of the scopes ['', 'encoder', 'encoder.layer.0', 'linear'].
 */
function pathOf({ name, metadataProps }: NodeProto): string {
  const scopes = metadataProps.find(({ key }) => key === "pkg.torch.onnx.name_scopes")?.value;
  if (scopes === undefined || name === "" || name.includes("/")) return name;
  // The last one is the operation.
  const modules = [...scopes.matchAll(/'([^']*)'/g)].slice(0, -1).map(([, module = ""]) => module);
  const segments = modules.map((module, index) => {
    const outer = `${modules[index - 1] ?? ""}.`;
    return module.startsWith(outer) ? module.slice(outer.length) : module;
  });
  const path = segments.filter((segment) => segment !== "").map((segment) => `${segment}/`);
  return path.length === 0 ? name : `/${path.join("")}${name}`;
}

function decodeAttribute(proto: AttributeProto, source: string, limits: Limits): Attribute | undefined {
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  switch (proto.type) {
    case AttributeType.INT:
      return { type: "int", value: Number(proto.i) };
    case AttributeType.FLOAT:
      return { type: "float", value: proto.f };
    case AttributeType.STRING:
      return { type: "string", value: text(proto.s) };
    case AttributeType.INTS:
      return { type: "ints", value: proto.ints.map(Number) };
    case AttributeType.FLOATS:
      return { type: "floats", value: proto.floats };
    case AttributeType.STRINGS:
      return { type: "strings", value: proto.strings.map(text) };
    case AttributeType.TENSOR:
      return proto.t ? { type: "tensor", value: decodeTensor(proto.t, source, limits) } : undefined;
    default:
      // Subgraphs and the rest occur only on ops that the catalogue refuses by name.
      return undefined;
  }
}

/** Topological order that keeps the file's order wherever it is valid. */
function sortNodes(nodes: readonly Node[], available: ReadonlySet<string>, source: string): Node[] {
  const producer = new Map<string, Node>();
  for (const node of nodes) {
    for (const output of node.outputs) {
      if (output === "") continue;
      if (producer.has(output) || available.has(output)) {
        throw new ModelError(
          `${source}: the value '${output}' is computed twice, the second time by ${describeNode(node)}.`,
          { source, node: nodeName(node) },
        );
      }
      producer.set(output, node);
    }
  }
  const sorted: Node[] = [];
  const state = new Map<Node, "open" | "done">();
  for (const start of nodes) {
    // An explicit stack: imported graphs can be deeper than the call stack.
    const stack = [start];
    while (stack.length > 0) {
      const node = stack[stack.length - 1] as Node;
      if (state.get(node) === "done") {
        stack.pop();
        continue;
      }
      state.set(node, "open");
      let waiting = false;
      for (const input of node.inputs) {
        if (input === "" || available.has(input)) continue;
        const before = producer.get(input);
        if (!before) {
          throw new ModelError(
            `${source}: ${describeNode(node)} reads '${input}', which is no graph input, no initializer and no ` +
              "node's output; the file is damaged or was edited by hand.",
            { source, node: nodeName(node) },
          );
        }
        if (state.get(before) === "done") continue;
        if (state.get(before) === "open") {
          throw new ModelError(
            `${source}: the graph has a cycle through ${describeNode(node)} and '${input}'.`,
            { source, node: nodeName(node) },
          );
        }
        stack.push(before);
        waiting = true;
      }
      if (waiting) continue;
      state.set(node, "done");
      sorted.push(node);
      stack.pop();
    }
  }
  return sorted;
}
