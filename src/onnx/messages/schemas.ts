/**
 * Descriptions of ONNX's messages for protobuf's `create`, `toBinary` and `fromBinary`. onnx-buf has the same, but reads them
 * from compiled descriptors, with which a page loads protobuf's description of descriptions: 12 kB gzipped, a tenth of all that
 * training needs. Its types are used as they are.
 */
import { type DescField, ScalarType } from "@bufbuild/protobuf";
import type * as onnx from "onnx-buf";
import { messageFields } from "./message-fields.ts";

const scalars: Readonly<Record<string, ScalarType>> = {
  double: ScalarType.DOUBLE,
  float: ScalarType.FLOAT,
  int64: ScalarType.INT64,
  uint64: ScalarType.UINT64,
  int32: ScalarType.INT32,
  bool: ScalarType.BOOL,
  string: ScalarType.STRING,
  bytes: ScalarType.BYTES,
};

/** The parts of protobuf's `DescEnum`, `DescOneof` and `DescMessage` that its codec reads. */
interface Enumeration {
  readonly open: false;
  readonly values: readonly { readonly name: string; readonly number: number }[];
}
interface Group {
  readonly kind: "oneof";
  readonly localName: string;
  readonly fields: DescField[];
}
interface Description {
  readonly kind: "message";
  readonly typeName: string;
  readonly file: { readonly edition: number };
  readonly fields: DescField[];
  readonly members: (DescField | Group)[];
}

const sections = messageFields.trim().split(/\n(?=message|enum)/);
const enumerations = new Map(sections.flatMap(enumerationOf));
const messages = new Map(sections.flatMap(messageOf));
// Only now, because messages hold each other.
for (const section of sections) addFields(section);

function enumerationOf(section: string): [string, Enumeration][] {
  const [, name, list] = /^enum (.*): (.*)/.exec(section) ?? [];
  if (name === undefined || list === undefined) return [];
  const values = list.split(", ").map((each) => {
    const [value = "", number] = each.split(" ");
    return { name: value, number: Number(number) };
  });
  return [[name, { open: false, values }]];
}

function messageOf(section: string): [string, Description][] {
  const [, name] = /^message (.*)/.exec(section) ?? [];
  // 998 stands for proto2, in which onnx.proto is written: a field that is set differs from one that has its default.
  const file = { edition: 998 };
  return name === undefined
    ? []
    : [[name, { kind: "message", typeName: `onnx.${name}`, file, fields: [], members: [] }]];
}

/** Adds the fields of a section's message to its description. */
function addFields(section: string): void {
  const [head = "", ...lines] = section.split("\n");
  const message = messages.get(head.replace("message ", ""));
  const groups = new Map<string, Group>();
  for (const line of message ? lines : []) {
    const [, number, name = "", type = "", list, groupName] =
      /(\d+) (\w+): ([\w.]+)(\[\w*\])?(?: of (\w+))?/.exec(line) ?? [];
    const oneof = groupName === undefined ? undefined : groupNamed(groups, groupName);
    const field = {
      ...{ kind: "field", number: Number(number), name, localName: camelCase(name), parent: message, oneof },
      ...content(type, list),
      ...{ delimitedEncoding: false, utf8Validation: false, longAsString: false },
      getDefaultValue: () => undefined,
      toString: () => `field ${message?.typeName}.${name}`,
    } as unknown as DescField;
    message?.fields.push(field);
    if (oneof?.fields.push(field) !== undefined && oneof.fields.length > 1) continue;
    message?.members.push(oneof ?? field);
  }
}

function groupNamed(groups: Map<string, Group>, localName: string): Group {
  const group = groups.get(localName) ?? { kind: "oneof", localName, fields: [] };
  groups.set(localName, group);
  return group;
}

/** What a field holds: one or a list of scalars, enumerations or messages. */
function content(type: string, list: string | undefined) {
  const [scalar, enumeration, message] = [scalars[type], enumerations.get(type), messages.get(type)];
  const kind = scalar !== undefined ? "scalar" : enumeration ? "enum" : "message";
  if (kind === "message" && !message) throw new Error(`The ONNX message '${type}' is not described.`);
  // Presence: 1 where a field tells whether it is set, 2 where it does not, as a list's.
  const shape =
    list === undefined
      ? { fieldKind: kind, presence: 1 }
      : { fieldKind: "list", listKind: kind, presence: 2 };
  return { ...shape, packed: list === "[packed]", scalar, enum: enumeration, message };
}

function camelCase(name: string): string {
  return name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
}

/** @throws where the name is none of ONNX's */
function schema<Name extends keyof typeof onnx>(name: Name): (typeof onnx)[Name] {
  const description = messages.get(name.replace(/Schema$/, "").replaceAll("_", "."));
  if (!description) throw new Error(`The ONNX message '${name}' is not described.`);
  return description as unknown as (typeof onnx)[Name];
}

function enumeration<Name extends keyof typeof onnx>(name: Name): (typeof onnx)[Name] {
  const { values = [] } = enumerations.get(name.replaceAll("_", ".")) ?? {};
  return Object.fromEntries(
    values.map((value) => [value.name, value.number]),
  ) as unknown as (typeof onnx)[Name];
}

export const AttributeProtoSchema = schema("AttributeProtoSchema");
export const FunctionProtoSchema = schema("FunctionProtoSchema");
export const GraphProtoSchema = schema("GraphProtoSchema");
export const ModelProtoSchema = schema("ModelProtoSchema");
export const NodeProtoSchema = schema("NodeProtoSchema");
export const OperatorSetIdProtoSchema = schema("OperatorSetIdProtoSchema");
export const StringStringEntryProtoSchema = schema("StringStringEntryProtoSchema");
export const TensorProtoSchema = schema("TensorProtoSchema");
export const TensorShapeProtoSchema = schema("TensorShapeProtoSchema");
export const TensorShapeProto_DimensionSchema = schema("TensorShapeProto_DimensionSchema");
export const TypeProtoSchema = schema("TypeProtoSchema");
export const TypeProto_TensorSchema = schema("TypeProto_TensorSchema");
export const ValueInfoProtoSchema = schema("ValueInfoProtoSchema");
export const AttributeType = enumeration("AttributeProto_AttributeType");
export const DataLocation = enumeration("TensorProto_DataLocation");
export const DataType = enumeration("TensorProto_DataType");
