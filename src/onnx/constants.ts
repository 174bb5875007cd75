import type { ModelProto, NodeProto } from "onnx-buf";
import type { Node } from "./graph.ts";
import { float32, type Tensor } from "./tensor.ts";

/** What tells weights from constants: a graph whose Constant nodes are still nodes. */
interface Graphlike {
  readonly proto: ModelProto;
  readonly nodes: readonly Node[];
  readonly inputs: readonly { readonly name: string }[];
  readonly initializers: ReadonlyMap<string, Tensor>;
}

/**
 * The model with weights that its file keeps in Constant nodes among its stored tensors; its message stays as it is, and
 * new values are saved into those nodes. The place of a float32 Constant tells what it is:
 *
 * - what a matrix product, convolution, recurrent layer, normalization or lookup reads as its weights is one, whatever its size,
 * - numbers with axes that are added to or multiplied with data are some as well in files that keep weights in this way.
 *
 * All others stay constants: scalars, and what shapes are computed with. So do all in files that tell constants from
 * weights themselves: ours, and PyTorch's, whose exporters store parameters as initializers.
 *
 * @param chosen by name, further ones from those places that are to be stored tensors
 */
export function storeConstants<M extends Graphlike>(
  model: M,
  chosen: (name: string) => boolean = () => false,
): M {
  if (model.proto.producerName === "forwardgrad") return model;
  const candidates = candidateConstants(model);
  const hasWeights = [...model.initializers.values()].some(
    ({ dtype, shape }) => dtype === "float32" && shape.length > 0,
  );
  const { producerName } = model.proto;
  const isUsual = producerName === "pytorch" ? !hasWeights : candidates.matrices.size > 0 || !hasWeights;
  const stored = new Map(
    [...candidates.matrices, ...candidates.terms].filter(([name]) => isUsual || chosen(name)),
  );
  if (stored.size === 0) return model;
  return {
    ...model,
    nodes: model.nodes.filter(({ outputs }) => !stored.has(outputs[0] ?? "")),
    initializers: new Map([...model.initializers, ...stored]),
  };
}

/** The node's numbers as a stored tensor, if it holds float32 ones with axes. */
function constantTensor({ op, domain, attributes }: Node): Tensor | undefined {
  if (op !== "Constant" || domain !== "") return undefined;
  if (attributes.value_floats?.type === "floats") return float32(attributes.value_floats.value);
  const { value } = attributes;
  if (value?.type !== "tensor" || value.value.dtype !== "float32") return undefined;
  return value.value.shape.length > 0 ? value.value : undefined;
}

/** Constants by their places: weights of an op, and terms or factors of data. */
function candidateConstants({ nodes, inputs }: Graphlike): {
  readonly matrices: ReadonlyMap<string, Tensor>;
  readonly terms: ReadonlyMap<string, Tensor>;
} {
  const constants = new Map(
    nodes.flatMap((node) => {
      const tensor = constantTensor(node);
      return tensor ? [[node.outputs[0] ?? "", tensor] as const] : [];
    }),
  );
  // Shapes are no data, nor is what is computed from them.
  const data = new Set(inputs.map(({ name }) => name));
  for (const node of nodes)
    if (node.op !== "Shape" && node.op !== "Size" && node.inputs.some((name) => data.has(name)))
      for (const name of node.outputs) data.add(name);
  const [matrices, terms] = [new Map<string, Tensor>(), new Map<string, Tensor>()];
  const roles = { weights: new Set<string>(), terms: new Set<string>() };
  for (const node of [...nodes].reverse()) {
    const constant = constants.get(node.outputs[0] ?? "");
    if (constant) {
      const name = node.outputs[0] ?? "";
      if (roles.weights.has(name)) matrices.set(name, constant);
      else if (roles.terms.has(name) && isTerm(constant)) terms.set(name, constant);
    } else if (layoutOps.has(node.op)) {
      for (const kind of [roles.weights, roles.terms])
        if (kind.has(node.outputs[0] ?? "")) kind.add(node.inputs[0] ?? "");
    } else if (node.inputs.some((name) => data.has(name))) {
      const weights = weightInputs.get(node.op) ?? [];
      for (const index of weights) roles.weights.add(node.inputs[index] ?? "");
      if (termOps.has(node.op)) for (const name of node.inputs) roles.terms.add(name);
    }
  }
  return { matrices: inOrder(constants, matrices), terms: inOrder(constants, terms) };
}

function inOrder(
  all: ReadonlyMap<string, Tensor>,
  some: ReadonlyMap<string, Tensor>,
): ReadonlyMap<string, Tensor> {
  return new Map([...all].filter(([name]) => some.has(name)));
}

/** More than one number; with several axes, as masks have them, numbers that hardly occur twice. */
function isTerm({ shape, data }: Tensor): boolean {
  if (data.length < 2) return false;
  const isVector = shape.filter((size) => size > 1).length === 1;
  return isVector || 2 * new Set(Array.from(data as Float32Array)).size > data.length;
}

/** Which inputs of an op are its weights. */
const weightInputs: ReadonlyMap<string, readonly number[]> = new Map([
  ["MatMul", [0, 1]],
  ["Gemm", [0, 1, 2]],
  ["Einsum", [0, 1]],
  ["Conv", [1, 2]],
  ["ConvTranspose", [1, 2]],
  ["Gather", [0]],
  ["RNN", [1, 2, 3]],
  ["GRU", [1, 2, 3]],
  ["LSTM", [1, 2, 3, 7]],
  ["BatchNormalization", [1, 2, 3, 4]],
  ["InstanceNormalization", [1, 2]],
  ["GroupNormalization", [1, 2]],
  ["LayerNormalization", [1, 2]],
  ["RMSNormalization", [1]],
  ["PRelu", [1]],
]);
const termOps: ReadonlySet<string> = new Set(["Add", "Sub", "Mul", "Div"]);
const layoutOps: ReadonlySet<string> = new Set([
  "Identity",
  "Transpose",
  "Reshape",
  "Flatten",
  "Squeeze",
  "Unsqueeze",
]);

/** The Constant node of the message's graph that holds this stored tensor. */
export function isConstantOf(node: NodeProto, names: { has(name: string): boolean }): boolean {
  const isConstant = node.opType === "Constant" && (node.domain === "" || node.domain === "ai.onnx");
  return isConstant && names.has(node.output[0] ?? "");
}
