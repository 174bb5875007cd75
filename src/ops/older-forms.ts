/** Forms of older opsets, and the newer ones that took their place: they load where a model is of such an opset. */
import { float, int, type Node, string, type Value } from "../onnx/graph.ts";
import { nodeError } from "../onnx/node-error.ts";
import { elementCount, float32, int64, type Tensor } from "../onnx/tensor.ts";
import { floatAttribute, intAttribute, intsAttribute } from "./view.ts";

type AddConstant = (tensor: Tensor) => string;
type Rewrite = (node: Node, constant: AddConstant) => Node;

/** What was an attribute up to an opset and is an input since. */
const forms: ReadonlyMap<string, { readonly before: number; readonly rewrite: Rewrite }> = new Map([
  ["Clip", { before: 11, rewrite: clip }],
  ["Pad", { before: 11, rewrite: pad }],
  ["Slice", { before: 10, rewrite: slice }],
  ["TopK", { before: 10, rewrite: intsToInput("k", 1) }],
  ["Upsample", { before: 10, rewrite: resize }],
  ["Resize", { before: 11, rewrite: resize }],
  ["Scatter", { before: 11, rewrite: (node: Node) => ({ ...node, op: "ScatterElements" }) }],
  ["Squeeze", { before: 13, rewrite: intsToInput("axes", 1) }],
  ["Unsqueeze", { before: 13, rewrite: intsToInput("axes", 1) }],
  ["Split", { before: 13, rewrite: intsToInput("split", 1) }],
  ["Dropout", { before: 12, rewrite: (node: Node) => ({ ...node, attributes: {} }) }],
  ["BatchNormalization", { before: 9, rewrite: perChannel }],
  [
    "SimplifiedLayerNormalization",
    {
      before: Number.POSITIVE_INFINITY,
      rewrite: (node: Node) => ({ ...node, op: "RMSNormalization", outputs: node.outputs.slice(0, 1) }),
    },
  ],
]);

/**
 * A node of opsets 7 to 12 in the form of opset 13.
 *
 * @param constant adds an initializer and returns its name
 * @throws for a form that has no counterpart: names the node
 */
export function olderForm(node: Node, opset: number, constant: AddConstant): Node {
  const form = node.domain === "" ? forms.get(node.op) : undefined;
  return form && opset < form.before ? form.rewrite(node, constant) : node;
}

/**
 * Softmax, LogSoftmax and Hardmax up to opset 12: over all axes from the given one on (default 1), as if they were one.
 * Undefined where that is one axis.
 *
 * @returns the nodes that take its place, with the types of their values
 */
export function overSeveralAxes(
  node: Node,
  x: Value,
  opset: number,
  constant: AddConstant,
): { readonly nodes: readonly Node[]; readonly values: readonly Value[] } | undefined {
  if (opset >= 13 || node.domain !== "" || !coerced.has(node.op)) return undefined;
  const rank = x.shape.length;
  const given = intAttribute(node, "axis", 1);
  const axis = given < 0 ? given + rank : given;
  const { dtype, shape } = x;
  const [input = "", output = ""] = [node.inputs[0], node.outputs[0]];
  const flat = [elementCount(shape.slice(0, axis)), elementCount(shape.slice(axis))];
  const [before, after] = [`${output}/flat`, `${output}/flat result`];
  const reshape = (from: string, sizes: readonly number[], to: string): Node => ({
    name: `${node.name || output}/${to === output ? "shaped" : "flat"}`,
    op: "Reshape",
    domain: "",
    inputs: [from, constant(int64(sizes))],
    outputs: [to],
    attributes: {},
  });
  if (axis === rank - 1)
    return { nodes: [{ ...node, attributes: { ...node.attributes, axis: int(axis) } }], values: [] };
  return {
    nodes: [
      reshape(input, flat, before),
      { ...node, inputs: [before], outputs: [after], attributes: { axis: int(1) } },
      reshape(after, shape, output),
    ],
    values: [
      { name: before, dtype, shape: flat },
      { name: after, dtype, shape: flat },
    ],
  };
}

const coerced: ReadonlySet<string> = new Set(["Softmax", "LogSoftmax", "Hardmax"]);

/** The node with an attribute of whole numbers as its input at this place; it stays without one where it has none. */
function intsToInput(name: string, index: number): Rewrite {
  return (node, constant) => {
    const { [name]: attribute, ...attributes } = node.attributes;
    const numbers = attribute?.type === "int" ? [attribute.value] : intsAttribute(node, name);
    if (!numbers) return node;
    return { ...node, attributes, inputs: [...node.inputs.slice(0, index), constant(int64(numbers))] };
  };
}

/** Bounds beyond which there is none: the attributes' defaults are the largest numbers of float32. */
const unbounded = 3.4e38;

function clip(node: Node, constant: AddConstant): Node {
  const bounds = ["min", "max"].map((name) => {
    const bound = floatAttribute(node, name, Number.POSITIVE_INFINITY);
    return Math.abs(bound) < unbounded ? constant(float32([bound], [])) : "";
  });
  return { ...node, attributes: {}, inputs: [node.inputs[0] ?? "", ...bounds] };
}

function pad(node: Node, constant: AddConstant): Node {
  const { pads, value, ...attributes } = node.attributes;
  const sizes = constant(int64(pads?.type === "ints" ? pads.value : []));
  const filled = value?.type === "float" && value.value !== 0 ? [constant(float32([value.value], []))] : [];
  return { ...node, attributes, inputs: [node.inputs[0] ?? "", sizes, ...filled] };
}

function slice(node: Node, constant: AddConstant): Node {
  const [starts = [], ends = []] = [intsAttribute(node, "starts"), intsAttribute(node, "ends")];
  const axes = intsAttribute(node, "axes") ?? starts.map((_, axis) => axis);
  const inputs = [starts, ends, axes].map((numbers) => constant(int64(numbers)));
  return { ...node, attributes: {}, inputs: [node.inputs[0] ?? "", ...inputs] };
}

/** Upsample, and Resize of opset 10: pixels lie at their upper left corners, and the one to the left is the nearest. */
function resize(node: Node, constant: AddConstant): Node {
  const { scales, mode } = node.attributes;
  const factors = scales?.type === "floats" ? constant(float32(scales.value)) : (node.inputs[1] ?? "");
  const isLinear = mode?.type === "string" && /linear/.test(mode.value);
  return {
    ...node,
    op: "Resize",
    inputs: [node.inputs[0] ?? "", "", factors],
    attributes: {
      mode: string(isLinear ? "linear" : "nearest"),
      coordinate_transformation_mode: string("asymmetric"),
      nearest_mode: string("floor"),
      cubic_coeff_a: float(-0.75),
    },
  };
}

function perChannel(node: Node): Node {
  if (intAttribute(node, "spatial", 1) !== 1) {
    throw nodeError(
      node,
      "spatial = 0 normalizes each position by statistics of its own, which newer opsets do not have; " +
        "write it with Sub, Div, Mul and Add.",
    );
  }
  const { spatial: _, ...attributes } = node.attributes;
  return { ...node, attributes };
}
