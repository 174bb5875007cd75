import { toBinary } from "@bufbuild/protobuf";
import type { ModelProto, TensorProto } from "onnx-buf";
import { withFields } from "./message.ts";
import { GraphProtoSchema, ModelProtoSchema, TensorProtoSchema } from "./schemas.ts";

/** Fields of ONNX messages that hold bytes or a message, by number; the graph's are those of its initializers. */
const fields = { graph: 7, initializer: 5, rawData: 9 } as const;

/**
 * The bytes of a model message. `toBinary` copies a stored tensor's numbers for every message around it; here they are
 * copied once, into the result. Protobuf leaves the order of fields free: the graph comes last, and its tensors last in it.
 */
export function serializeModel(proto: ModelProto): Uint8Array<ArrayBuffer> {
  const { graph } = proto;
  if (!graph) return toBinary(ModelProtoSchema, proto) as Uint8Array<ArrayBuffer>;
  const tensors = graph.initializer.flatMap((tensor) => delimited(fields.initializer, tensorParts(tensor)));
  const rest = toBinary(GraphProtoSchema, withFields(graph, { initializer: [] }));
  return joined([
    toBinary(ModelProtoSchema, withFields(proto, { graph: undefined })),
    ...delimited(fields.graph, [rest, ...tensors]),
  ]);
}

function tensorParts(tensor: TensorProto): Uint8Array[] {
  const { rawData } = tensor;
  if (rawData.length === 0) return [toBinary(TensorProtoSchema, tensor)];
  return [
    toBinary(TensorProtoSchema, withFields(tensor, { rawData: new Uint8Array() })),
    ...delimited(fields.rawData, [rawData]),
  ];
}

/** A field of bytes or of a message: its number, the length of what follows, and that. */
function delimited(field: number, parts: readonly Uint8Array[]): Uint8Array[] {
  const lengthDelimited = 2;
  const length = parts.reduce((total, part) => total + part.length, 0);
  return [Uint8Array.from([...varint((field << 3) | lengthDelimited), ...varint(length)]), ...parts];
}

/** A whole number in groups of 7 bits, lowest first; all but the last have the top bit set. */
function varint(number: number): number[] {
  const groups: number[] = [];
  let rest = number;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) groups.push((rest % 0x80) | 0x80);
  return [...groups, rest];
}

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const result = new Uint8Array(parts.reduce((total, part) => total + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    result.set(part, offset);
    offset += part.length;
  }
  return result;
}
