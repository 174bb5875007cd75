/** From a graph or a model to the bytes of an ONNX file. */
import { create } from "@bufbuild/protobuf";
import type { AttributeProto, ModelProto, NodeProto, TensorProto, ValueInfoProto } from "onnx-buf";
import { ModelError } from "../errors/errors.ts";
import { isConstantOf } from "./constants.ts";
import { type Attribute, formatShape, type Graph, getValue, type Node, type Value } from "./graph.ts";
import { withFields } from "./messages/message.ts";
import {
  AttributeProtoSchema,
  AttributeType,
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  OperatorSetIdProtoSchema,
  TensorProtoSchema,
  TensorShapeProto_DimensionSchema,
  TensorShapeProtoSchema,
  TypeProto_TensorSchema,
  TypeProtoSchema,
  ValueInfoProtoSchema,
} from "./messages/schemas.ts";
import { serializeModel } from "./messages/serialize.ts";
import type { Model } from "./read-model.ts";
import { bytesOf, dtypeFromNumber, dtypeNumbers, signed64, type Tensor } from "./tensor.ts";

/** How a graph is written as a file. */
export interface EncodeOptions {
  /** True leaves the first axis of every input and output open, under the name "batch". */
  readonly openBatch?: boolean;
  /** True writes initializers that are no parameters as Constant nodes, so that readers can tell the two apart. */
  readonly constantNodes?: boolean;
  /** Initializers that are also listed as graph inputs, so that runtimes may override them. */
  readonly overridable?: readonly string[];
}

// IR version 10 is the first that covers opset 21 and newer; runtimes accept older ones too.
const irVersion = 10n;

/** Encodes a graph as an ONNX file. The bytes depend on nothing but the graph. */
export function encodeGraph(graph: Graph, options: EncodeOptions = {}): Uint8Array<ArrayBuffer> {
  return serializeModel(modelMessage(graph, options));
}

/** A graph as the message that its file holds; the two share the numbers of stored tensors. */
export function modelMessage(graph: Graph, options: EncodeOptions = {}): ModelProto {
  const overridable = (options.overridable ?? []).map((name) => getValue(graph, name));
  const isConstant = (name: string) => options.constantNodes === true && !graph.parameters.includes(name);
  const initializers = [...graph.initializers];
  const constants = initializers.filter(([name]) => isConstant(name));
  return create(ModelProtoSchema, {
    irVersion,
    producerName: "forwardgrad",
    opsetImport: [...new Set(["", ...graph.nodes.map(({ domain }) => domain)])].map((domain) =>
      create(OperatorSetIdProtoSchema, { domain, version: domain === "" ? BigInt(graph.opset) : 1n }),
    ),
    graph: create(GraphProtoSchema, {
      name: graph.name,
      input: [
        ...graph.inputs.map((value) => encodeValue(value, options.openBatch)),
        ...overridable.map((value) => encodeValue(value)),
      ],
      output: graph.outputs.map((value) => encodeValue(value, options.openBatch)),
      initializer: initializers
        .filter(([name]) => !isConstant(name))
        .map(([name, tensor]) => encodeTensor(name, tensor)),
      node: [
        ...constants.map(([name, value]) =>
          encodeNode({
            name: `${name}/value`,
            op: "Constant",
            domain: "",
            inputs: [],
            outputs: [name],
            attributes: { value: { type: "tensor", value } },
          }),
        ),
        ...graph.nodes.map(encodeNode),
      ],
    }),
  });
}

/** @internal for the other files of this folder */
export function encodeNode(node: Node): NodeProto {
  return create(NodeProtoSchema, {
    name: node.name,
    opType: node.op,
    domain: node.domain,
    input: [...node.inputs],
    output: [...node.outputs],
    attribute: Object.entries(node.attributes).map(([name, attribute]) => encodeAttribute(name, attribute)),
  });
}

/** The model as it is computed, which may be in another precision than its file. */
export function asComputed({ file: _, ...model }: Model): Model {
  return model;
}

/**
 * The model file with new values for some initializers and everything else kept: names, metadata, opset, node order, types.
 * Float32 values of tensors that the file holds in 16 bits are rounded.
 *
 * @throws when a replaced initializer is missing or has another type or shape.
 */
export function encodeModel(model: Model, replaced: ReadonlyMap<string, Tensor>): Uint8Array<ArrayBuffer> {
  const { file } = model;
  const proto = file?.proto ?? model.proto;
  const { graph } = proto;
  for (const [name, tensor] of replaced) {
    const target = model.initializers.get(name);
    if (target?.dtype !== tensor.dtype || formatShape(target.shape) !== formatShape(tensor.shape)) {
      throw new ModelError(
        `${model.source}: cannot replace initializer '${name}' by a ${tensor.dtype} tensor ` +
          `${formatShape(tensor.shape)}; the file has ${target ? `shape ${formatShape(target.shape)}` : "no such initializer"}.`,
        { source: model.source },
      );
    }
  }
  const initializer = (graph?.initializer ?? []).map((stored) => {
    const tensor = replaced.get(stored.name);
    return tensor ? withData(stored, tensor, file) : stored;
  });
  const node = (graph?.node ?? []).map((stored) => {
    const tensor = isConstantOf(stored, replaced) ? replaced.get(stored.output[0] ?? "") : undefined;
    return tensor ? withNumbers(stored, tensor, file) : stored;
  });
  return serializeModel(withFields(proto, { graph: graph && withFields(graph, { initializer, node }) }));
}

/** A Constant node with other numbers. */
function withNumbers(node: NodeProto, tensor: Tensor, file: Model["file"]): NodeProto {
  const attribute = node.attribute.map((each) =>
    each.t
      ? withFields(each, { t: withData(each.t, tensor, file) })
      : withFields(each, { floats: Array.from(tensor.data as Float32Array) }),
  );
  return withFields(node, { attribute });
}

/** The message with the tensor's numbers, which it shares where it has their type. */
function withData(stored: TensorProto, tensor: Tensor, file: Model["file"]): TensorProto {
  const dtype = dtypeFromNumber(stored.dataType);
  const rounded = file && dtype ? file.rounded(tensor, dtype) : tensor;
  return withFields(stored, {
    rawData: bytesOf(rounded.data),
    floatData: [],
    doubleData: [],
    int32Data: [],
    int64Data: [],
    uint64Data: [],
  });
}

/** @internal for the other files of this folder */
export function encodeTensor(name: string, tensor: Tensor): TensorProto {
  return create(TensorProtoSchema, {
    name,
    dataType: dtypeNumbers[tensor.dtype],
    dims: tensor.shape.map(BigInt),
    rawData: bytesOf(tensor.data),
  });
}

function encodeValue(value: Value, openBatch = false): ValueInfoProto {
  const dim = value.shape.map((dimension, axis) =>
    create(TensorShapeProto_DimensionSchema, {
      value:
        openBatch && axis === 0
          ? { case: "dimParam", value: "batch" }
          : { case: "dimValue", value: BigInt(dimension) },
    }),
  );
  const tensorType = create(TypeProto_TensorSchema, {
    elemType: dtypeNumbers[value.dtype],
    shape: create(TensorShapeProtoSchema, { dim }),
  });
  return create(ValueInfoProtoSchema, {
    name: value.name,
    type: create(TypeProtoSchema, { value: { case: "tensorType", value: tensorType } }),
  });
}

function encodeAttribute(name: string, attribute: Attribute): AttributeProto {
  const bytes = (text: string) => new TextEncoder().encode(text) as Uint8Array<ArrayBuffer>;
  switch (attribute.type) {
    case "int":
      return create(AttributeProtoSchema, { name, type: AttributeType.INT, i: signed64(attribute.value) });
    case "float":
      return create(AttributeProtoSchema, { name, type: AttributeType.FLOAT, f: attribute.value });
    case "string":
      return create(AttributeProtoSchema, { name, type: AttributeType.STRING, s: bytes(attribute.value) });
    case "ints":
      return create(AttributeProtoSchema, {
        name,
        type: AttributeType.INTS,
        ints: attribute.value.map(signed64),
      });
    case "floats":
      return create(AttributeProtoSchema, { name, type: AttributeType.FLOATS, floats: [...attribute.value] });
    case "strings":
      return create(AttributeProtoSchema, {
        name,
        type: AttributeType.STRINGS,
        strings: attribute.value.map(bytes),
      });
    case "tensor":
      return create(AttributeProtoSchema, {
        name,
        type: AttributeType.TENSOR,
        t: encodeTensor("", attribute.value),
      });
  }
}
