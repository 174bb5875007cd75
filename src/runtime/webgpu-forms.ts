/** Ops that ONNX Runtime's WebGPU has no kernel for, written as ops that it has: what they read would cross to the CPU, and back. */
import { create } from "@bufbuild/protobuf";
import type { ModelProto, NodeProto } from "onnx-buf";
import {
  AttributeProtoSchema,
  AttributeType,
  NodeProtoSchema,
  TensorProtoSchema,
} from "../onnx/messages/schemas.ts";
import { own } from "../onnx/own.ts";
import { dtypeNumbers } from "../onnx/tensor.ts";

/** Adds a node and says what its output is called. */
type Emit = (op: string, inputs: readonly string[], attributes?: Readonly<Record<string, number>>) => string;

interface Form {
  /** The opset of the ops that it is written as. */
  readonly since: number;
  /** The op's only output, from its only input. */
  write(emit: Emit, input: string, axis: number): string;
}

const forms: Readonly<Record<string, Form>> = {
  // sign(x) = [x > 0] − [x < 0]; 0 of what is no number
  Sign: {
    since: 15,
    write(emit, x) {
      const zero = emit("CastLike", [emit("Constant", [], { value_float: 0 }), x]);
      const [above, below] = ["Greater", "Less"].map((op) => emit("CastLike", [emit(op, [x, zero]), x]));
      return emit("Sub", [above as string, below as string]);
    },
  },
  // log softmax(x) = (x − max x) − log Σ exp(x − max x)
  LogSoftmax: {
    since: 18,
    write(emit, x, axis) {
      const axes = emit("Constant", [], { value_ints: axis });
      const shifted = emit("Sub", [x, emit("ReduceMax", [x, axes])]);
      return emit("Sub", [shifted, emit("Log", [emit("ReduceSum", [emit("Exp", [shifted]), axes])])]);
    },
  },
};

/** Writes such ops of a model otherwise. @returns whether it has any */
export function writeWebgpuForms({ opsetImport, graph }: ModelProto): boolean {
  const opset = Number(opsetImport.find(({ domain }) => domain === "")?.version ?? 0);
  const formOf = ({ domain, opType }: NodeProto) => {
    const form = domain === "" ? own(forms, opType) : undefined;
    return form && form.since <= opset ? form : undefined;
  };
  if (!graph?.node.some(formOf)) return false;
  graph.node = graph.node.flatMap((node) => {
    const form = formOf(node);
    return form ? written(node, form) : [node];
  });
  return true;
}

function written(node: NodeProto, form: Form): NodeProto[] {
  const [input = ""] = node.input;
  const [output = ""] = node.output;
  const axis = node.attribute.find(({ name }) => name === "axis")?.i ?? -1n;
  const nodes: NodeProto[] = [];
  const emit: Emit = (op, inputs, attributes = {}) => {
    const name = `webgpu/${output}/${nodes.length}`;
    const attribute = Object.entries(attributes).map(attributeOf);
    nodes.push(create(NodeProtoSchema, { opType: op, name, input: [...inputs], output: [name], attribute }));
    return name;
  };
  form.write(emit, input, Number(axis));
  const last = nodes.at(-1) as NodeProto;
  last.output = [output];
  return nodes;
}

/** Constants as an attribute `value`, which every opset has. */
function attributeOf([name, value]: readonly [string, number]) {
  const t =
    name === "value_float"
      ? create(TensorProtoSchema, { dataType: dtypeNumbers.float32, floatData: [value] })
      : create(TensorProtoSchema, { dataType: dtypeNumbers.int64, dims: [1n], int64Data: [BigInt(value)] });
  return create(AttributeProtoSchema, { name: "value", type: AttributeType.TENSOR, t });
}
