import { fromBinary, toBinary } from "@bufbuild/protobuf";
import type { NodeProto } from "onnx-buf";
import { ModelProtoSchema } from "../onnx/messages/schemas.ts";
import { own } from "../onnx/own.ts";
import { dtypeNumbers } from "../onnx/tensor.ts";
import { writeWebgpuForms } from "./webgpu-forms.ts";

/**
 * Nodes that the WebGPU kernels of ONNX Runtime 1.30 refuse, compute wrongly, or end the process on, so that they have to
 * stay on the CPU. Found by running the samples of every op and their derivatives; test/webgpu-ops.test.ts runs them again.
 * What WebGPU has no kernel for at all, ONNX Runtime leaves on the CPU itself.
 */
const gaps: Readonly<Record<string, (node: NodeProto) => boolean>> = {
  // "trainingMode is not supported yet."
  BatchNormalization: (node) => integer(node, "training_mode") === 1,
  // Wrong for some sizes of a group (two groups of 2 channels and 6 filters), refused for three axes.
  Conv: (node) => (integer(node, "group") ?? 1) > 1,
  // Wrong for indices that broadcast, errors for ellipses, a segmentation fault for empty operands.
  Einsum: () => true,
  // Takes no scale that broadcasts.
  LayerNormalization: (node) => ![undefined, -1].includes(integer(node, "axis")),
  // Returns x itself where nothing is to be reduced, without the absolute value or the square.
  ReduceL1: (node) => integer(node, "noop_with_empty_axes") === 1,
  ReduceL2: (node) => integer(node, "noop_with_empty_axes") === 1,
  ReduceSumSquare: (node) => integer(node, "noop_with_empty_axes") === 1,
  // "The antialias attribute of Resize operator is NOT implemented."
  Resize: (node) => integer(node, "antialias") === 1,
};

/**
 * Finds the nodes of a model that have to stay on the CPU.
 *
 * @returns their names, and the model in which they have names of their own, and ops without a kernel are written as others
 */
export function findWebgpuGaps(model: Uint8Array): {
  readonly model: Uint8Array;
  readonly names: readonly string[];
} {
  const proto = fromBinary(ModelProtoSchema, model);
  const isWritten = writeWebgpuForms(proto);
  const nodes = proto.graph?.node ?? [];
  const found = nodes.filter((node) => own(gaps, node.opType)?.(node));
  const uses = new Map<string, number>();
  for (const { name } of nodes) uses.set(name, (uses.get(name) ?? 0) + 1);
  const unnamed = found.filter(({ name }) => name === "" || uses.get(name) !== 1);
  // A node's first output has a name that is its own.
  for (const node of unnamed) node.name = `${node.opType} of ${node.output.find((name) => name !== "")}`;
  return {
    model: isWritten || unnamed.length > 0 ? toBinary(ModelProtoSchema, proto) : model,
    names: found.map(({ name }) => name),
  };
}

/**
 * Whether a model holds numbers of double precision, for which the WebGPU builds for pages have hardly a kernel, on the CPU either.
 */
export function holdsFloat64(model: Uint8Array): boolean {
  const { graph } = fromBinary(ModelProtoSchema, model);
  const isDouble = (type: number | undefined) => type === doubleType;
  const values = [...(graph?.input ?? []), ...(graph?.output ?? [])];
  return (
    graph?.initializer.some(({ dataType }) => isDouble(dataType)) ||
    values.some(({ type }) => type?.value.case === "tensorType" && isDouble(type.value.value.elemType)) ||
    graph?.node.some((node) => node.opType === "Cast" && isDouble(integer(node, "to"))) ||
    false
  );
}

/** The number of double precision in ONNX files. */
const doubleType = dtypeNumbers.float64;

function integer(node: NodeProto, name: string): number | undefined {
  const attribute = node.attribute.find((one) => one.name === name);
  return attribute && Number(attribute.i);
}
