import { create } from "@bufbuild/protobuf";
import type { NodeProto } from "onnx-buf";
import { SettingError } from "../errors/errors.ts";
import { withFields } from "./messages/message.ts";
import { ValueInfoProtoSchema } from "./messages/schemas.ts";
import type { Model } from "./read-model.ts";

/**
 * The model that computes some outputs alone, without nodes and stored tensors that they do not need. Values inside of the
 * graph become outputs under their own names.
 *
 * @throws when nothing computes one of them: names the outputs that there are
 */
export function pruneModel(model: Model, outputs: readonly string[]): Model {
  const { graph } = model.proto;
  if (!graph) return model;
  const producer = new Map(graph.node.flatMap((node) => node.output.map((name) => [name, node] as const)));
  for (const name of outputs) {
    if (producer.has(name) || model.outputs.some((output) => output.name === name)) continue;
    const names = graph.output.map((output) => `'${output.name}'`).join(", ");
    throw new SettingError(
      `${model.source} has no output '${name}'; its outputs are ${names}, and any value inside of it can be one.`,
      { option: "output" },
    );
  }
  const needed = new Set<string>();
  const kept = new Set<NodeProto>();
  const waiting = [...outputs];
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    if (needed.has(name)) continue;
    needed.add(name);
    const node = producer.get(name);
    if (!node || kept.has(node)) continue;
    kept.add(node);
    for (const read of namesRead(node)) waiting.push(read);
  }
  const declared = new Map(graph.output.map((output) => [output.name, output]));
  const own = new Map(model.outputs.map((output) => [output.name, output]));
  return {
    ...model,
    proto: withFields(model.proto, {
      graph: withFields(graph, {
        node: graph.node.filter((node) => kept.has(node)),
        initializer: graph.initializer.filter(({ name }) => needed.has(name)),
        output: outputs.map((name) => declared.get(name) ?? create(ValueInfoProtoSchema, { name })),
      }),
    }),
    // The type of a value inside is known when it is computed; who asks for one as an output takes floats.
    outputs: outputs.map((name) => own.get(name) ?? { name, dtype: "float32", dimensions: undefined }),
    nodes: model.nodes.filter(({ outputs: names }) => names.some((name) => name !== "" && needed.has(name))),
    initializers: new Map([...model.initializers].filter(([name]) => needed.has(name))),
  };
}

/** Names that a node reads, in graphs inside of it too. */
function namesRead({ input, attribute }: NodeProto): string[] {
  const inside = attribute.flatMap(({ g }) =>
    g ? [...g.node.flatMap(namesRead), ...g.output.map(({ name }) => name)] : [],
  );
  return [...input, ...inside].filter((name) => name !== "");
}
