/** A model that computes in float16 or bfloat16 as one that computes in float32. */
import type {
  AttributeProto,
  GraphProto,
  ModelProto,
  NodeProto,
  TensorProto,
  ValueInfoProto,
} from "onnx-buf";
import { toHalf, toSingle } from "./half-precision.ts";
import { withFields } from "./messages/message.ts";
import { AttributeType, DataType } from "./messages/schemas.ts";
import { decodeTensor, type Model, type OriginalFile, readModel } from "./read-model.ts";
import { bytesOf, dtypeFromNumber, isHalf, type Tensor } from "./tensor.ts";

/**
 * The model with float32 in the place of all 16-bit floats: stored tensors, inputs and outputs, constants, and what nodes
 * cast to. It remembers its file's message, from which it is saved in the file's own types.
 */
export function inFloat32(model: Model): Model {
  const { proto: given } = model;
  const { graph } = given;
  if (!graph) return model;
  const proto = withFields(given, { graph: wideGraph(graph, model) });
  return {
    ...readModel(proto, model.source, model.limits),
    file: { proto: given, rounded, asRead: (replaced) => asRead(given, replaced) },
  };
}

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

function wideGraph(graph: GraphProto, model: Model): GraphProto {
  return withFields(graph, {
    initializer: graph.initializer.map((tensor) => wideTensor(tensor, model)),
    input: graph.input.map(wideValue),
    output: graph.output.map(wideValue),
    valueInfo: graph.valueInfo.map(wideValue),
    node: graph.node.map((node) => wideNode(node, model)),
  });
}

function wideTensor(tensor: TensorProto, { source, limits }: Model): TensorProto {
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

function wideNode(node: NodeProto, model: Model): NodeProto {
  return withFields(node, { attribute: node.attribute.map((attribute) => wideAttribute(attribute, model)) });
}

/** Attributes that name a type of elements. */
const typeNames: ReadonlySet<string> = new Set([
  ...["to", "dtype", "output_dtype", "output_datatype", "stash_type", "softmax_precision"],
]);

function wideAttribute(attribute: AttributeProto, model: Model): AttributeProto {
  const { type, name, t, g, i } = attribute;
  if (type === AttributeType.TENSOR && t) return withFields(attribute, { t: wideTensor(t, model) });
  if (g) return withFields(attribute, { g: wideGraph(g, model) });
  const isType = type === AttributeType.INT && typeNames.has(name) && isHalfNumber(Number(i));
  return isType ? withFields(attribute, { i: BigInt(DataType.FLOAT) }) : attribute;
}
