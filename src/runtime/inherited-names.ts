import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { ModelProtoSchema, NodeProtoSchema } from "../onnx/messages/schemas.ts";

/**
 * Whether every object has a property of this name. ONNX Runtime's JavaScript looks outputs up in plain objects, where it
 * then finds what they inherit, and loses a result called "__proto__".
 */
export function isInherited(name: string): boolean {
  return name in {};
}

/**
 * A model with other names for outputs whose names are inherited ones.
 *
 * @returns the model, and the new name of each of these outputs
 */
export function renameOutputs(model: Uint8Array): {
  readonly model: Uint8Array;
  readonly names: ReadonlyMap<string, string>;
} {
  const proto = fromBinary(ModelProtoSchema, model);
  const { graph } = proto;
  const taken = new Set(graph?.node.flatMap(({ output }) => output));
  const names = new Map<string, string>();
  for (const output of graph?.output.filter(({ name }) => isInherited(name)) ?? []) {
    let name = `output ${output.name}`;
    while (taken.has(name)) name += "'";
    names.set(output.name, name);
    const input = [output.name];
    graph?.node.push(create(NodeProtoSchema, { name, opType: "Identity", input, output: [name] }));
    output.name = name;
  }
  return { model: toBinary(ModelProtoSchema, proto), names };
}
