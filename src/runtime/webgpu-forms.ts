/** Ops that ONNX Runtime's WebGPU has no kernel for, written as ops that it has: what they read would cross to the CPU, and back. */
import type { ModelProto, NodeProto } from "onnx-buf";
import { own } from "../onnx/own.ts";
import { constantNode, plainNode, wholeAttribute } from "../onnx/structure/subgraphs.ts";
import { float32, int64, type Tensor } from "../onnx/tensor.ts";

/** Adds nodes, and says what the output of each is called. */
interface Emit {
  op(name: string, inputs: readonly string[]): string;
  constant(value: Tensor): string;
}

interface Form {
  /** The opset of the ops that it is written as. */
  readonly since: number;
  /** The op from its only input; the last node gives its only output. */
  write(emit: Emit, input: string, axis: number): void;
}

const forms: Readonly<Record<string, Form>> = {
  // sign(x) = [x > 0] − [x < 0]; 0 of what is no number
  Sign: {
    since: 15,
    write(emit, x) {
      const zero = emit.op("CastLike", [emit.constant(float32([0], [])), x]);
      const holds = (op: string) => emit.op("CastLike", [emit.op(op, [x, zero]), x]);
      emit.op("Sub", [holds("Greater"), holds("Less")]);
    },
  },
  // log softmax(x) = (x − max x) − log Σ exp(x − max x)
  LogSoftmax: {
    since: 18,
    write(emit, x, axis) {
      const axes = emit.constant(int64([axis]));
      const shifted = emit.op("Sub", [x, emit.op("ReduceMax", [x, axes])]);
      const sum = emit.op("ReduceSum", [emit.op("Exp", [shifted]), axes]);
      emit.op("Sub", [shifted, emit.op("Log", [sum])]);
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
  const nodes: NodeProto[] = [];
  const add = (make: (name: string) => NodeProto) => {
    const name = `webgpu/${output}/${nodes.length}`;
    nodes.push(make(name));
    return name;
  };
  const emit: Emit = {
    op: (op, inputs) => add((name) => plainNode(op, inputs, [name])),
    constant: (value) => add((name) => constantNode(name, value)),
  };
  form.write(emit, input, wholeAttribute(node, "axis", -1));
  const last = nodes.at(-1) as NodeProto;
  last.output = [output];
  return nodes;
}
