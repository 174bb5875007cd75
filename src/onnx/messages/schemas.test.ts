import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { create, type DescField, type DescMessage, fromBinary, toBinary } from "@bufbuild/protobuf";
import { nestedTypes } from "@bufbuild/protobuf/reflect";
import * as onnx from "onnx-buf";
import { describe, expect, it } from "vitest";
import { messageFields } from "./message-fields.ts";
import * as ours from "./schemas.ts";

const zoo = join(import.meta.dirname, "../..", "..", "test", "goldens", "zoo");
const scalars = [
  "",
  "double",
  "float",
  "int64",
  "uint64",
  "int32",
  "",
  "",
  "bool",
  "string",
  "",
  "",
  "bytes",
];
const short = ({ typeName }: { typeName: string }) => typeName.replace("onnx.", "");

describe("the descriptions of ONNX's messages", () => {
  it("say what onnx.proto declares, without defaults, maps and groups", () => {
    const lines = [...nestedTypes(onnx.file_onnx)].flatMap((type) => {
      if (type.kind === "message") return [`message ${short(type)}`, ...type.fields.map(lineOf)];
      if (type.kind !== "enum" || type.name === "Version") return [];
      expect(type.open).toBe(false);
      return [
        `enum ${short(type)}: ${type.values.map(({ name, number }) => `${name} ${number}`).join(", ")}`,
      ];
    });
    expect(messageFields.trim().split("\n")).toEqual(lines);
  });

  function lineOf(field: DescField): string {
    expect(["scalar", "enum", "message", "list"]).toContain(field.fieldKind);
    const isList = field.fieldKind === "list";
    if (!isList) expect((field as { getDefaultValue(): unknown }).getDefaultValue()).toBeUndefined();
    expect(field).toMatchObject({ presence: isList ? 2 : 1, utf8Validation: false });
    const type = field.message
      ? short(field.message)
      : field.enum
        ? short(field.enum)
        : scalars[field.scalar as number];
    const list = isList ? (field.packed ? "[packed]" : "[]") : "";
    return `  ${field.number} ${field.name}: ${type}${list}${field.oneof ? ` of ${field.oneof.name}` : ""}`;
  }

  it("have the same numbers of enumerations", () => {
    const pairs = [
      [ours.AttributeType, onnx.AttributeProto_AttributeType],
      [ours.DataType, onnx.TensorProto_DataType],
      [ours.DataLocation, onnx.TensorProto_DataLocation],
    ];
    for (const [own, theirs] of pairs) expect(theirs).toMatchObject(own as object);
  });

  const schemas = Object.entries(ours).filter(([name]) => name.endsWith("Schema")) as [string, DescMessage][];
  const described = new Map(Object.entries(onnx));
  const theirs = (name: string) => described.get(name) as DescMessage;

  it.each(schemas)("make the same empty message: %s", (name, schema) => {
    const [own, other] = [create(schema), create(theirs(name))];
    expect(own).toEqual(other);
    expect(Object.getPrototypeOf(own)).toEqual(Object.getPrototypeOf(other));
    expect(schema.members.map(({ localName }) => localName)).toEqual(
      theirs(name).members.map(({ localName }) => localName),
    );
  });

  const files = readdirSync(zoo).filter((name) => name.endsWith(".onnx"));
  it("read and write the same", () => {
    expect(files.length).toBeGreaterThan(40);
    for (const name of files) {
      const bytes = readFileSync(join(zoo, name));
      const [own, other] = [
        fromBinary(ours.ModelProtoSchema, bytes),
        fromBinary(onnx.ModelProtoSchema, bytes),
      ];
      const written = toBinary(ours.ModelProtoSchema, own);
      expect(Buffer.compare(written, toBinary(onnx.ModelProtoSchema, other)), name).toBe(0);
      expect(Buffer.compare(written, toBinary(onnx.ModelProtoSchema, own)), name).toBe(0);
    }
  });
  // A field that no version knows, and a closed enumeration's number that none has, stay in the file.
  it("keep what they do not know", () => {
    const bytes = Uint8Array.from([0x0a, 1, 0x41, 0xa0, 1, 99, 0xfa, 0x3e, 1, 7]);
    const own = fromBinary(ours.AttributeProtoSchema, bytes);
    expect(own).toEqual(fromBinary(onnx.AttributeProtoSchema, bytes));
    expect(toBinary(ours.AttributeProtoSchema, own)).toEqual(toBinary(onnx.AttributeProtoSchema, own));
  });
});
