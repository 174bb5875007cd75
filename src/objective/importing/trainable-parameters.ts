/** Which of a model's stored tensors are trained, where nobody says so. */

import { consumers, type Graph, type Node } from "../../onnx/graph.ts";
import { own } from "../../onnx/own.ts";
import type { Model } from "../../onnx/read-model.ts";
import type { Tensor } from "../../onnx/tensor.ts";
import { opOf, rulesOf } from "../../ops/find-op.ts";
import { isBuffer } from "./buffers.ts";
import { isMask } from "./finite-weights.ts";
import { runningStatistics } from "./model-file.ts";

/** Which stored tensors are trained, where somebody says so. */
export interface ParameterChoice {
  /** Which float32 initializers are trained. Default: all on a differentiable path to the output, constants excepted. */
  readonly trainable?: ((name: string) => boolean) | undefined;
  /** Takes initializers out of what is trained. Default: none. */
  readonly frozen?: ((name: string) => boolean) | undefined;
}

/**
 * Float32 initializers from which a differentiable path leads to `output`, in the file's order. BatchNormalization's
 * running statistics are no parameters. Unless chosen, constants are left out: scalars (exporters write numbers such as
 * an epsilon as initializers without axes), what the file declares to be a buffer (or, where it
 * declares nothing of it, what name and numbers say, `buffers.ts`), the inputs that `settings` names, and
 * constants that PyTorch's exporter computed itself, such as masks, grids, the scale of attention scores and initial
 * states of zeros. A file that
 * declares its parameters declares nothing of what was computed, which may also be a transposed or sliced parameter: the
 * numbers tell the two apart.
 */
export function trainableParameters(
  graph: Graph,
  output: string,
  { buffers, declared, nodes }: Pick<Model, "buffers" | "declared" | "nodes">,
  { trainable, frozen }: ParameterChoice,
): string[] {
  const statistics = runningStatistics(graph);
  const reached = new Set([output]);
  for (const node of [...graph.nodes].reverse()) {
    if (!node.outputs.some((name) => reached.has(name)) || !isDifferentiable(node, graph)) continue;
    for (const name of node.inputs) reached.add(name);
  }
  // What ops were written out into tells no window from a factor, and no state from a term: their own nodes do.
  const set = [...nodes, ...graph.nodes].flatMap(({ op, inputs }) =>
    inputs.slice(own(settings, op) ?? inputs.length),
  );
  const constants = new Set([...buffers, ...set]);
  const [readers, readersInFile] = [consumers(graph), consumers({ nodes })];
  // Angles that tracing multiplied out: nothing that is trained goes into a sine alone.
  const isAngle = (name: string) =>
    /^onnx::(Sin|Cos)_\d+$/.test(name) && readers.get(name)?.every(({ op }) => op === "Sin" || op === "Cos");
  const isComputed = (name: string, tensor: Tensor) =>
    (declared.size > 0 ? !declared.has(name) : /^val_\d+$/.test(name)) &&
    ((readers.get(name)?.every(({ op }) => spreading.has(op)) && repeatsItself(tensor)) ||
      (readersInFile.get(name)?.every((node) => standsIn(node, name)) &&
        tensor.data.every((each) => each === tensor.data[0])));
  const isTrained = (name: string, tensor: Tensor) =>
    tensor.shape.length > 0 &&
    !constants.has(name) &&
    !(!declared.has(name) && isBuffer(name, tensor)) &&
    !isAngle(name) &&
    !isComputed(name, tensor) &&
    !isMask(tensor);
  const ofFewBits = numbersOfFewBits(nodes);
  return graph.parameters.filter((name) => {
    const tensor = graph.initializers.get(name);
    if (ofFewBits.has(name) || !reached.has(name) || tensor?.dtype !== "float32" || statistics.has(name))
      return false;
    return (trainable ? trainable(name) : isTrained(name, tensor)) && !frozen?.(name);
  });
}

/** Whether numbers are infinite, or occur twice and more on average, as trained ones hardly do; one alone counts as well. */
function repeatsItself({ data }: Tensor): boolean {
  const numbers = Array.from(data as ArrayLike<number>);
  const isInfinite = numbers.some((number) => !Number.isFinite(number));
  return numbers.length === 1 || isInfinite || 2 * new Set(numbers).size <= numbers.length;
}

/** Ops that read masks, grids and scales. */
const spreading: ReadonlySet<string> = new Set(["Add", "Sub", "Mul", "Div", "Where", "Expand"]);

/**
 * Whether a value is in the place of something that there is not: a state that a recurrent layer begins with in a fixed
 * batch, the scale and bias of the InstanceNormalization that a GroupNorm is written with, or those of a LayerNorm without.
 */
function standsIn({ op, inputs }: Node, name: string): boolean {
  const indices = own(standIns, op) ?? [];
  return inputs.every((input, index) => input !== name || indices.includes(index));
}

const standIns: Readonly<Record<string, readonly number[]>> = {
  RNN: [5],
  GRU: [5],
  LSTM: [5, 6],
  InstanceNormalization: [1, 2],
  LayerNormalization: [1, 2],
};

/** The first of the inputs that say how an op works: the two values of a code, regions and scales, a window, tables of angles. */
const settings: Readonly<Record<string, number>> = {
  OneHot: 2,
  Resize: 1,
  STFT: 2,
  RotaryEmbedding: 1,
  GroupQueryAttention: 7,
};

/** The inputs that hold numbers of few bits and what they are scaled and moved by, from the first to before the last. */
const quantizing: Readonly<Record<string, readonly [first: number, last?: number]>> = {
  QuantizeLinear: [1],
  DequantizeLinear: [1],
  MatMulNBits: [1],
  GatherBlockQuantized: [1],
  MatMulInteger: [1],
  DynamicQuantizeMatMul: [1, 4],
  MatMulIntegerToFloat: [1, 6],
};

/** The numbers of few bits of a model with their scales, which belong to each other. */
function numbersOfFewBits(nodes: readonly Node[]): Set<string> {
  // The scale of a product of integers is that of what was rounded times that of the weights.
  const scales = new Set(
    nodes.flatMap(({ op, outputs }) => (op === "DynamicQuantizeLinear" ? outputs.slice(1, 2) : [])),
  );
  return new Set(
    nodes.flatMap(({ op, inputs }) => {
      if (op === "Mul" && inputs.some((name) => scales.has(name))) return inputs;
      const range = own(quantizing, op);
      return range ? inputs.slice(...range) : [];
    }),
  );
}

function isDifferentiable(node: Node, graph: Graph): boolean {
  return opOf(node, graph.opset, rulesOf(graph)).jvp !== undefined;
}
