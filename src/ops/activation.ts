import { float, int, string, type Value } from "../onnx/graph.ts";
import { floatAttribute, type Op, stringAttribute } from "./op.ts";
import { elementwise, output } from "./rules.ts";
import { axisOf, sameShape } from "./shapes.ts";

/** d tanh x = (1 − y²) dx */
export const Tanh = elementwise((g, _, [y]) => g.emit("Sub", [1, g.emit("Mul", [y, y])]));

/** d σ(x) = y(1 − y) dx */
export const Sigmoid = elementwise((g, _, [y]) => g.emit("Mul", [y, g.emit("Sub", [1, y])]));

/** d relu(x) = [x > 0] dx; 0 at 0, as in PyTorch */
export const Relu = elementwise((g, [x], [y]) =>
  g.emit("Cast", [g.emit("Greater", [y, 0])], { to: x?.dtype === "float64" ? 11 : 1 }),
);

/** d leakyRelu(x) = (x > 0 ? 1 : α) dx; α at 0, as in PyTorch */
export const LeakyRelu: Op = {
  ...elementwise((g, [x], _, node) => {
    const alpha = g.scalar((x as Value).dtype, floatAttribute(node.node, "alpha", 0.01));
    return g.emit("Where", [g.emit("Greater", [x, 0]), 1, alpha]);
  }),
  defaults: { alpha: float(0.01) },
};

/** d elu(x) = (x > 0 ? 1 : y + α) dx */
export const Elu: Op = {
  ...elementwise((g, [x], [y], node) =>
    g.emit("Where", [
      g.emit("Greater", [x, 0]),
      1,
      g.emit("Add", [y, floatAttribute(node.node, "alpha", 1)]),
    ]),
  ),
  defaults: { alpha: float(1) },
};

/** d softplus(x) = σ(x) dx */
export const Softplus = elementwise((g, [x]) => g.emit("Sigmoid", [x]));

/**
 * d gelu(x) = (Φ(x) + x φ(x)) dx;
 * with approximate = tanh: u = √(2/π)(x + 0.044715 x³), d = (½(1 + tanh u) + ½ x (1 − tanh² u) u′) dx
 */
export const Gelu: Op = {
  ...elementwise((g, [x], _, node) => {
    const square = g.emit("Mul", [x, x]);
    if (stringAttribute(node.node, "approximate", "none") === "none") {
      const cumulative = g.emit("Mul", [
        g.emit("Add", [g.emit("Erf", [g.emit("Mul", [x, Math.SQRT1_2])]), 1]),
        0.5,
      ]);
      const density = g.emit("Mul", [
        g.emit("Exp", [g.emit("Mul", [square, -0.5])]),
        1 / Math.sqrt(2 * Math.PI),
      ]);
      return g.emit("Add", [cumulative, g.emit("Mul", [x, density])]);
    }
    const root = Math.sqrt(2 / Math.PI);
    const inner = g.emit("Mul", [x, g.emit("Add", [g.emit("Mul", [square, 0.044715 * root]), root])]);
    const innerSlope = g.emit("Add", [g.emit("Mul", [square, 3 * 0.044715 * root]), root]);
    const tanh = g.emit("Tanh", [inner]);
    const tanhSlope = g.emit("Mul", [g.emit("Sub", [1, g.emit("Mul", [tanh, tanh])]), innerSlope]);
    const sum = g.emit("Add", [g.emit("Add", [tanh, 1]), g.emit("Mul", [x, tanhSlope])]);
    return g.emit("Mul", [sum, 0.5]);
  }),
  defaults: { approximate: string("none") },
};

/** d softmax(x) = y ⊙ (dx − Σ y dx), the sum over the axis */
export const Softmax: Op = {
  shape: sameShape,
  defaults: { axis: int(-1) },
  jvp: (g, node, [tangent]) => {
    const y = output(node);
    const mean = g.emit("ReduceSum", [g.emit("Mul", [tangent, y]), [axisOf(node, -1) + 1]]);
    return [g.emit("Mul", [g.emit("Sub", [tangent, mean]), y])];
  },
};

/** d logSoftmax(x) = dx − Σ eʸ dx, the sum over the axis */
export const LogSoftmax: Op = {
  shape: sameShape,
  defaults: { axis: int(-1) },
  jvp: (g, node, [tangent]) => {
    const probability = g.emit("Exp", [output(node)]);
    const mean = g.emit("ReduceSum", [g.emit("Mul", [tangent, probability]), [axisOf(node, -1) + 1]]);
    return [g.emit("Sub", [tangent, mean])];
  },
};
