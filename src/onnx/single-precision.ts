/** A model that computes in float16 or bfloat16 as one that computes in float32. */
import type {
  AttributeProto,
  GraphProto,
  ModelProto,
  NodeProto,
  TensorProto,
  ValueInfoProto,
} from "onnx-buf";
import { ModelError } from "../errors/errors.ts";
import { toHalf, toSingle } from "./half-precision.ts";
import { withFields } from "./messages/message.ts";
import { AttributeType, DataType } from "./messages/schemas.ts";
import { decodeTensor, type Model, type OriginalFile, readModel } from "./read-model.ts";
import { bytesOf, dtypeFromNumber, elementCount, isHalf, type Tensor } from "./tensor.ts";

/**
 * The model with float32 in the place of all 16-bit floats: stored tensors, inputs and outputs, constants, and what nodes
 * cast to; and with stored integers of 4 bits in 8. It remembers its file's message, from which it is saved in the file's own types.
 */
export function inFloat32(model: Pick<Model, "proto" | "source" | "limits">): Model {
  const { proto: given } = model;
  const { graph } = given;
  if (!graph) return readModel(given, model.source, model.limits);
  const proto = withFields(given, { graph: wideGraph(graph, model) });
  return {
    ...readModel(proto, model.source, model.limits),
    file: { proto: given, rounded, asRead: (replaced) => asRead(given, replaced) },
  };
}

/** What is known of a model before it is read. */
type Given = Pick<Model, "source" | "limits">;

const rounded: OriginalFile["rounded"] = (tensor, dtype) =>
  isHalf(dtype) && tensor.dtype === "float32" ? toHalf(tensor, dtype) : tensor;

/** New values of stored tensors rounded as the file does, in float32. */
function asRead({ graph }: ModelProto, replaced: ReadonlyMap<string, Tensor>): ReadonlyMap<string, Tensor> {
  const types = new Map(graph?.initializer.map(({ name, dataType }) => [name, dtypeFromNumber(dataType)]));
  return new Map(
    [...replaced].map(([name, tensor]) => [name, toSingle(rounded(tensor, types.get(name) ?? tensor.dtype))]),
  );
}

const isHalfNumber = (type: number) => type === DataType.FLOAT16 || type === DataType.BFLOAT16;

function wideGraph(graph: GraphProto, model: Given): GraphProto {
  return withFields(graph, {
    initializer: graph.initializer.map((tensor) => wideTensor(tensor, model)),
    input: graph.input.map(wideValue),
    output: graph.output.map(wideValue),
    valueInfo: graph.valueInfo.map(wideValue),
    node: graph.node.map((node) => wideNode(node, model)),
  });
}

/** Whether a tensor of the graph holds integers of 4 bits. */
export function hasFourBits({ graph }: ModelProto): boolean {
  return graph?.initializer.some(({ dataType }) => isFourBits(dataType)) ?? false;
}

const isFourBits = (type: number) => type === DataType.INT4 || type === DataType.UINT4;

/** Two integers a byte, the lower half first, as bytes. */
function inEightBits(tensor: TensorProto, source: string): TensorProto {
  const count = elementCount(tensor.dims.map(Number));
  const bytes = tensor.rawData.length > 0 ? tensor.rawData : Uint8Array.from(tensor.int32Data);
  if (bytes.length !== Math.ceil(count / 2)) {
    throw new ModelError(
      `${source}: tensor '${tensor.name}' of ${count} 4-bit integers needs ${Math.ceil(count / 2)} bytes, received ` +
        `${bytes.length}; the file is damaged or was cut off.`,
      { source },
    );
  }
  const isSigned = tensor.dataType === DataType.INT4;
  const rawData = Uint8Array.from({ length: count }, (_, index) => {
    const half = ((bytes[index >> 1] as number) >> (4 * (index % 2))) & 15;
    return isSigned && half > 7 ? half + 240 : half;
  });
  return withFields(tensor, { dataType: isSigned ? DataType.INT8 : DataType.UINT8, rawData, int32Data: [] });
}

function wideTensor(tensor: TensorProto, { source, limits }: Given): TensorProto {
  if (isFourBits(tensor.dataType)) return inEightBits(tensor, source);
  if (!isHalfNumber(tensor.dataType)) return tensor;
  const { data } = toSingle(decodeTensor(tensor, source, limits));
  return withFields(tensor, { dataType: DataType.FLOAT, rawData: bytesOf(data), int32Data: [] });
}

function wideValue(value: ValueInfoProto): ValueInfoProto {
  const { type } = value;
  if (type?.value.case !== "tensorType" || !isHalfNumber(type.value.value.elemType)) return value;
  const tensor = withFields(type.value.value, { elemType: DataType.FLOAT });
  return withFields(value, { type: withFields(type, { value: { case: "tensorType", value: tensor } }) });
}

function wideNode(node: NodeProto, model: Given): NodeProto {
  return withFields(node, { attribute: node.attribute.map((attribute) => wideAttribute(attribute, model)) });
}

/** Attributes that name a type of elements. */
const typeNames: ReadonlySet<string> = new Set([
  ...["to", "dtype", "output_dtype", "output_datatype", "stash_type", "softmax_precision"],
]);

function wideAttribute(attribute: AttributeProto, model: Given): AttributeProto {
  const { type, name, t, g, i } = attribute;
  if (type === AttributeType.TENSOR && t) return withFields(attribute, { t: wideTensor(t, model) });
  if (g) return withFields(attribute, { g: wideGraph(g, model) });
  const isType = type === AttributeType.INT && typeNames.has(name) && isHalfNumber(Number(i));
  return isType ? withFields(attribute, { i: BigInt(DataType.FLOAT) }) : attribute;
}
