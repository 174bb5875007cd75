/** Trial runs of a model on made-up numbers, for its shapes alone. */
import { create } from "@bufbuild/protobuf";
import type { ModelProto } from "onnx-buf";
import { DeviceError, ModelError } from "../errors/errors.ts";
import { words } from "../errors/words.ts";
import { isConstantOf } from "../onnx/constants.ts";
import type { Node, Value } from "../onnx/graph.ts";
import { withFields } from "../onnx/messages/message.ts";
import {
  AttributeProtoSchema,
  AttributeType,
  NodeProtoSchema,
  TensorProtoSchema,
} from "../onnx/messages/schemas.ts";
import type { Model } from "../onnx/read-model.ts";
import { controlFlowOps } from "../onnx/structure/structural-ops.ts";
import { dtypeNumbers, elementCount, isFloat, type Tensor, tensorOf, zeros } from "../onnx/tensor.ts";
import type { Runtime } from "./runtime.ts";

/** Elements from which a stored float tensor counts as weights, whose numbers decide no shape. */
const weightElements = 1024;

/** The model with its weights made when it runs, all the same number, instead of stored: shapes need no more. */
export function withoutWeights(model: Model): ModelProto {
  const { graph } = model.proto;
  if (!graph) return model.proto;
  const weights = new Map(
    [...model.initializers].filter(([, { dtype, data }]) => isFloat(dtype) && data.length >= weightElements),
  );
  const made = [...weights].map(([name, tensor]) => {
    const dataType = dtypeNumbers[tensor.dtype];
    const shape = `${name}/shape of the weight`;
    const value = create(TensorProtoSchema, { dataType, dims: [1n], ...smallNumber(dataType) });
    return {
      shape: create(TensorProtoSchema, {
        name: shape,
        dataType: dtypeNumbers.int64,
        dims: [BigInt(tensor.shape.length)],
        int64Data: tensor.shape.map(BigInt),
      }),
      node: create(NodeProtoSchema, {
        opType: "ConstantOfShape",
        input: [shape],
        output: [name],
        attribute: [create(AttributeProtoSchema, { name: "value", type: AttributeType.TENSOR, t: value })],
      }),
    };
  });
  return withFields(model.proto, {
    graph: withFields(graph, {
      input: graph.input.filter(({ name }) => !weights.has(name)),
      initializer: [
        ...graph.initializer.filter(({ name }) => !weights.has(name)),
        ...made.map(({ shape }) => shape),
      ],
      node: [...made.map(({ node }) => node), ...graph.node.filter((node) => !isConstantOf(node, weights))],
    }),
  });
}

/** About 0.01 in this type. */
function smallNumber(dataType: number): {
  floatData?: number[];
  doubleData?: number[];
  int32Data?: number[];
} {
  if (dataType === dtypeNumbers.float32) return { floatData: [0.01] };
  if (dataType === dtypeNumbers.float64) return { doubleData: [0.01] };
  // The bits of 0.01 in half precision, or in bfloat16.
  return { int32Data: [dataType === dtypeNumbers.float16 ? 0x211f : 0x3c24] };
}

/** Numbers that every op accepts: small positive floats, zeros and ones for integers. */
export function sample(input: Value, variant: number): Tensor {
  const { dtype, shape } = input;
  const count = elementCount(shape);
  if (!isFloat(dtype)) {
    return variant === 0
      ? zeros(dtype, shape)
      : tensorOf(
          dtype,
          Array.from({ length: count }, (_, index) => index % 2),
          shape,
        );
  }
  if (dtype === "float16" || dtype === "bfloat16") return zeros(dtype, shape);
  const numbers = Array.from(
    { length: count },
    (_, index) => 0.1 + 0.8 * (((index + 1) * (0.618 + 0.1 * variant)) % 1),
  );
  return tensorOf(dtype, numbers, shape);
}

/** Values decided by shapes and by Constant nodes alone. */
export function shapeConstants(model: Model): Set<string> {
  const constant = new Set<string>();
  const isConstant = (name: string) => {
    if (name === "" || constant.has(name)) return true;
    const initializer = model.initializers.get(name);
    return initializer !== undefined && !isFloat(initializer.dtype);
  };
  for (const node of model.nodes) {
    const readsShapeOnly = ["Shape", "Size", "SequenceLength"].includes(node.op);
    if (isDeterministic(node) && (readsShapeOnly || node.inputs.every(isConstant)))
      for (const output of node.outputs) constant.add(output);
  }
  return constant;
}

function isDeterministic(node: Node): boolean {
  // Graphs inside a node read values that its inputs do not tell.
  if (controlFlowOps.has(node.op)) return false;
  return !node.op.startsWith("Random") && node.op !== "Bernoulli" && node.op !== "Multinomial";
}

/** What to say when a model does not run. */
export function doesNotRun(model: Model, runtime: Runtime, inputs: readonly Value[], cause: unknown): Error {
  if (cause instanceof DeviceError) return cause;
  const given = inputs.map(({ name, dtype, shape }) => `'${name}' ${dtype} [${shape.join(", ")}]`).join(", ");
  return new ModelError(words`${model.source} does not run on ${runtime.name}: ${cause} (inputs ${given}).`, {
    source: model.source,
    cause,
  });
}
