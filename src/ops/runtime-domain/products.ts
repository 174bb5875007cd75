/** Products and convolutions with what the optimizer fused into them: factors, transposes, activations, sums. */
import type { Attributes, Value } from "../../onnx/graph.ts";
import { nodeError } from "../../onnx/node-error.ts";
import { catalogue } from "../catalogue.ts";
import type { Emitter } from "../emitter.ts";
import type { Op } from "../op.ts";
import { transpose } from "../rules.ts";
import { arange, broadcastShapes, required } from "../shapes.ts";
import { floatAttribute, intAttribute, type NodeView, stringAttribute } from "../view.ts";

/** α A B, each factor with its last two axes swapped (`transA`), its first one moved behind the others (`transBatchA`), or as it is. */
export const FusedMatMul: Op = {
  shape: (node) => {
    const [a, b] = [required(node, 0), required(node, 1)];
    const [left, right] = [a, b].map(({ shape }, index) =>
      orderOf(node, index).map((axis) => shape[axis] ?? 1),
    );
    if (!left || !right || left.length < 2 || right.length < 2)
      throw nodeError(node.node, "its factors are vectors; expected matrices. Export the model with MatMul.");
    const batch = broadcastShapes([left.slice(0, -2), right.slice(0, -2)], "FusedMatMul");
    return [{ dtype: a.dtype, shape: [...batch, left.at(-2) ?? 1, right.at(-1) ?? 1] }];
  },
  lower: (g, node) => {
    const [a, b] = [0, 1].map((index) => transpose(g, required(node, index), orderOf(node, index)));
    const alpha = Math.fround(floatAttribute(node.node, "alpha", 1));
    const product = g.matMul(a as Value, b as Value);
    return [alpha === 1 ? product : g.mul(product, alpha)];
  },
};

/** As `FusedMatMul`, under its older name. */
export const TransposeMatMul: Op = FusedMatMul;

/** The order of a factor's axes in the product. */
function orderOf(node: NodeView, index: number): number[] {
  const side = index === 0 ? "A" : "B";
  const axes = arange(required(node, index).shape.length);
  if (axes.length < 2) return axes;
  const last = axes.length - 1;
  const moved =
    intAttribute(node.node, `transBatch${side}`, 0) === 1 ? [...axes.slice(1, last), 0, last] : axes;
  const [row = 0, column = 0] = moved.slice(-2);
  return intAttribute(node.node, `trans${side}`, 0) === 1 ? [...moved.slice(0, -2), column, row] : moved;
}

/** act(α A B + β C) */
export const FusedGemm: Op = {
  shape: (node) => catalogue.Gemm.shape(as(node, "Gemm", gemmAttributes)),
  lower: (g, node) => {
    const { attributes } = as(node, "Gemm", gemmAttributes).node;
    const parameters = ["activation_alpha", "activation_beta"].flatMap((name) => {
      const attribute = node.node.attributes[name];
      return attribute?.type === "float" ? [attribute.value] : [];
    });
    return [activated(g, node, g.emit("Gemm", node.inputs, attributes), parameters)];
  },
};

/** act(conv(x, W, b) + z); z may be left out. */
export const FusedConv: Op = {
  shape: (node) => catalogue.Conv.shape(as(node, "Conv", convAttributes)),
  lower: (g, node) => {
    const { attributes } = as(node, "Conv", convAttributes).node;
    const y = g.emit("Conv", node.inputs.slice(0, 3), attributes);
    const parameters = node.node.attributes.activation_params;
    const sum = node.inputs[3] ? g.add(y, node.inputs[3]) : y;
    return [activated(g, node, sum, parameters?.type === "floats" ? parameters.value : [])];
  },
};

const gemmAttributes = ["alpha", "beta", "transA", "transB"];
const convAttributes = ["auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"];

/** The node as the op of the standard that is in it. */
function as({ node, inputs, constant }: NodeView, op: string, names: readonly string[]): NodeView {
  const attributes: Attributes = Object.fromEntries(
    Object.entries(node.attributes).filter(([name]) => names.includes(name)),
  );
  return { node: { ...node, op, domain: "", attributes }, inputs: inputs.slice(0, 3), constant };
}

/** The activation that a node names applied to its value. */
function activated(g: Emitter, node: NodeView, x: Value, [first, second]: readonly number[]): Value {
  const name = stringAttribute(node.node, "activation", "");
  const given = (value: number | undefined, fallback: number) => Math.fround(value ?? fallback);
  switch (name) {
    case "":
      return x;
    case "Relu":
      return g.relu(x);
    case "Sigmoid":
      return g.sigmoid(x);
    case "Tanh":
      return g.tanh(x);
    case "LeakyRelu":
      return g.leakyRelu(x, { alpha: given(first, 0.01) });
    case "HardSigmoid":
      return g.hardSigmoid(x, { alpha: given(first, 0.2), beta: given(second, 0.5) });
    case "Clip":
      return g.clip(x, given(first, -3.4e38), given(second, 3.4e38));
    default:
      throw nodeError(
        node.node,
        `its fused activation '${name}' is not supported, only Relu, Sigmoid, Tanh, LeakyRelu, HardSigmoid and Clip. ` +
          "Optimize the model at the basic level, which fuses none.",
      );
  }
}

/** Numbers of few bits, as in the standard's op. */
export const DequantizeLinear: Op = {
  shape: (node) => catalogue.DequantizeLinear.shape(node),
  lower: (g, node) => [
    g.dequantizeLinear(required(node, 0), required(node, 1), node.inputs[2], axisOf(node)),
  ],
};

/** As in the standard's op. */
export const QuantizeLinear: Op = {
  shape: (node) => catalogue.QuantizeLinear.shape(node),
  lower: (g, node) => [g.quantizeLinear(required(node, 0), required(node, 1), node.inputs[2], axisOf(node))],
};

const axisOf = ({ node }: NodeView) => ({ axis: intAttribute(node, "axis", 1) });
