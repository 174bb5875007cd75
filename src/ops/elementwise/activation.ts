import { float, int, string, type Value } from "../../onnx/graph.ts";
import { floatAttribute, type Op, stringAttribute } from "../op.ts";
import { anyNumber, bounded, from, type RangeRule } from "../range.ts";
import { cast, choosing, elementwise, finite, output, zero } from "../rules.ts";
import { axisOf, sameShape } from "../shapes.ts";

/** d tanh x = (1 − y²) dx */
export const Tanh: Op = {
  ...elementwise((g, _, [y]) => g.emit("Sub", [1, g.emit("Mul", [y, y])])),
  range: bounded(-1, 1),
};

/** d σ(x) = σ(x) σ(−x) dx, which keeps its digits on both sides */
export const Sigmoid: Op = {
  ...elementwise((g, [x], [y]) => g.emit("Mul", [y, g.emit("Sigmoid", [g.emit("Neg", [x])])])),
  range: bounded(0, 1),
};

/** d relu(x) = [x > 0] dx; 0 at 0, as in PyTorch */
export const Relu: Op = {
  ...choosing((g, [x], [y]) => cast(g, g.emit("Greater", [y, 0]), (x as Value).dtype)),
  range: (input) => ({ ...input(0), low: Math.max(0, input(0).low), high: Math.max(0, input(0).high) }),
};

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
export const Softplus: Op = {
  ...elementwise((g, [x]) => g.emit("Sigmoid", [x])),
  range: (input) => ({ ...input(0), low: 0, high: Math.max(input(0).high, 0) + 1 }),
};

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

// The float32 numbers that the ONNX standard gives as defaults.
const selu = { alpha: 1.6732631921768188, gamma: 1.0507010221481323 };

/** d selu(x) = (x > 0 ? γ : y + γα) dx; γα at 0, as in PyTorch */
export const Selu: Op = {
  ...elementwise((g, [x], [y], node) => {
    const gamma = floatAttribute(node.node, "gamma", selu.gamma);
    const below = g.emit("Add", [y, gamma * floatAttribute(node.node, "alpha", selu.alpha)]);
    return g.emit("Where", [g.emit("Greater", [x, 0]), gamma, below]);
  }),
  defaults: { alpha: float(selu.alpha), gamma: float(selu.gamma) },
};

/** d celu(x) = (x > 0 ? 1 : y/α + 1) dx */
export const Celu: Op = {
  ...elementwise((g, [x], [y], node) => {
    const below = g.emit("Add", [g.emit("Div", [y, floatAttribute(node.node, "alpha", 1)]), 1]);
    return g.emit("Where", [g.emit("Greater", [x, 0]), 1, below]);
  }),
  defaults: { alpha: float(1) },
};

/** d prelu(x, s) = (x > 0 ? 1 : s) dx + (x > 0 ? 0 : x) ds; s at 0, as in PyTorch */
export const PRelu: Op = {
  ...choosing(
    (g, [x, slope]) => g.emit("Where", [g.emit("Greater", [x, 0]), 1, slope]),
    (g, [x]) => g.emit("Where", [g.emit("Greater", [x, 0]), 0, x]),
  ),
  shape: sameShape,
};

/** d thresholdedRelu(x) = [x > α] dx; 0 at the threshold, as in PyTorch's `threshold` */
export const ThresholdedRelu: Op = {
  ...choosing((g, [x], _, node) =>
    cast(g, g.emit("Greater", [x, floatAttribute(node.node, "alpha", 1)]), (x as Value).dtype),
  ),
  defaults: { alpha: float(1) },
};

/** d shrink(x) = [|x| > λ] dx; 0 at ±λ, as in PyTorch's `hardshrink` and `softshrink` */
export const Shrink: Op = {
  ...choosing((g, [x], _, node) => {
    const isKept = g.emit("Greater", [g.emit("Abs", [x]), floatAttribute(node.node, "lambd", 0.5)]);
    return cast(g, isKept, (x as Value).dtype);
  }),
  defaults: { lambd: float(0.5), bias: float(0) },
};

/** d hardSigmoid(x) = α [0 < y < 1] dx; 0 at both ends, as in PyTorch */
export const HardSigmoid: Op = {
  ...choosing((g, _, [y], node) => {
    const isInside = g.emit("And", [g.emit("Greater", [y, 0]), g.emit("Less", [y, 1])]);
    return g.emit("Mul", [cast(g, isInside, (y as Value).dtype), floatAttribute(node.node, "alpha", 0.2)]);
  }),
  range: bounded(0, 1),
  defaults: { alpha: float(0.2), beta: float(0.5) },
};

/** d hardSwish(x) = (x/3 + ½) dx between −3 and 3, 0 below, dx above; at −3 and 3 as below and above, as in PyTorch */
export const HardSwish = choosing((g, [x]) => {
  const inside = g.emit("Add", [g.emit("Div", [x, 3]), 0.5]);
  const raised = g.emit("Where", [g.emit("LessOrEqual", [x, -3]), 0, inside]);
  return g.emit("Where", [g.emit("GreaterOrEqual", [x, 3]), 1, raised]);
});

/** d softsign(x) = dx / (1 + |x|)² */
export const Softsign = elementwise((g, [x]) => {
  const scale = g.emit("Reciprocal", [g.emit("Add", [g.emit("Abs", [x]), 1])]);
  return g.emit("Mul", [scale, scale]);
});

/** t = tanh(softplus(x)): d mish(x) = (t + x (1 − t²) σ(x)) dx */
export const Mish = elementwise((g, [x]) => {
  const tanh = g.emit("Tanh", [g.emit("Softplus", [x])]);
  const slope = g.emit("Mul", [g.emit("Sub", [1, g.emit("Mul", [tanh, tanh])]), g.emit("Sigmoid", [x])]);
  return g.emit("Add", [tanh, g.emit("Mul", [x, slope])]);
});

/** s = σ(αx): d swish(x) = s (1 + αx (1 − s)) dx */
export const Swish: Op = {
  ...elementwise((g, [x], _, node) => {
    const inner = g.emit("Mul", [x, floatAttribute(node.node, "alpha", 1)]);
    const sigmoid = g.emit("Sigmoid", [inner]);
    const rest = g.emit("Mul", [inner, g.emit("Sub", [1, sigmoid])]);
    return g.emit("Mul", [sigmoid, g.emit("Add", [rest, 1])]);
  }),
  defaults: { alpha: float(1) },
};

/** One at the largest element, piecewise constant: no derivative. */
export const Hardmax: Op = { ...zero(sameShape), defaults: { axis: int(-1) } };

/** Masks hide by −∞, and a row that is hidden as a whole is NaN. */
const hidesRows: RangeRule = (input) => {
  const { low, high, nan, fed } = input(0);
  return { ...from(0, 1), nan: nan || fed || !Number.isFinite(low) || !Number.isFinite(high) };
};

/** d softmax(x) = y ⊙ (dx − Σ y dx), the sum over the axis; 0 for a row that is hidden as a whole */
export const Softmax: Op = {
  shape: sameShape,
  range: hidesRows,
  defaults: { axis: int(-1) },
  jvp: (g, node, [tangent]) => {
    const y = finite(g, output(node), output(node));
    const mean = g.emit("ReduceSum", [g.emit("Mul", [tangent, y]), [axisOf(node, -1) + 1]]);
    return [g.emit("Mul", [g.emit("Sub", [tangent, mean]), y])];
  },
};

/** d logSoftmax(x) = dx − Σ eʸ dx, the sum over the axis */
export const LogSoftmax: Op = {
  shape: sameShape,
  range: (input, node) => ({
    ...hidesRows(input, node),
    low: Number.isFinite(input(0).low) ? anyNumber.low : Number.NEGATIVE_INFINITY,
    high: 0,
  }),
  defaults: { axis: int(-1) },
  jvp: (g, node, [tangent]) => {
    const probability = finite(g, g.emit("Exp", [output(node)]), output(node));
    const mean = g.emit("ReduceSum", [g.emit("Mul", [tangent, probability]), [axisOf(node, -1) + 1]]);
    return [g.emit("Sub", [tangent, mean])];
  },
};
