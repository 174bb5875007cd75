/**
 * Runs of onnxruntime-node that return nothing. Its binding copies each output into an array of its own, also where it wrote
 * into an array that it was given, which takes as long as computing the gradients of a large model. It copies them in their
 * order and fails at one that is no tensor: where a sequence comes first, all outputs are written, and none is copied.
 */
import { create, toBinary } from "@bufbuild/protobuf";
import { encodeGraph } from "../onnx/encode.ts";
import type { Graph, Value } from "../onnx/graph.ts";
import {
  DataType,
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  TypeProtoSchema,
  ValueInfoProtoSchema,
} from "../onnx/messages/schemas.ts";

/** The name of the sequence. */
export const unreturned = "runtime/unreturned";

/** The model with a sequence before its outputs; its opset must be 11 or newer. */
export function withUnreturned(model: Uint8Array): Uint8Array {
  const start = sequenceFirst();
  // Messages that follow each other are read as one.
  const both = new Uint8Array(start.length + model.length);
  both.set(start);
  both.set(model, start.length);
  return both;
}

function sequenceFirst(): Uint8Array {
  const elemType = { value: { case: "tensorType", value: { elemType: DataType.FLOAT } } } as const;
  const type = create(TypeProtoSchema, { value: { case: "sequenceType", value: { elemType } } });
  const node = create(NodeProtoSchema, { name: unreturned, opType: "SequenceEmpty", output: [unreturned] });
  const output = create(ValueInfoProtoSchema, { name: unreturned, type });
  const graph = create(GraphProtoSchema, { node: [node], output: [output] });
  return toBinary(ModelProtoSchema, create(ModelProtoSchema, { graph }));
}

/** Whether a run failed at the sequence, when all was written. */
export function isUnreturned(error: unknown): boolean {
  return String(error).includes("Non tensor type is temporarily not supported");
}

/** y = −x, on which an engine shows whether it writes before it fails. */
export function trialModel(): Uint8Array {
  const x: Value = { name: "x", dtype: "float32", shape: [1] };
  const y: Value = { ...x, name: "y" };
  const node = { name: "y", op: "Neg", domain: "", inputs: ["x"], outputs: ["y"], attributes: {} };
  const graph: Graph = {
    ...{ name: "trial", opset: 13, inputs: [x], outputs: [y], nodes: [node], parameters: [] },
    ...{ initializers: new Map(), values: new Map([x, y].map((value) => [value.name, value])) },
  };
  return withUnreturned(encodeGraph(graph));
}
