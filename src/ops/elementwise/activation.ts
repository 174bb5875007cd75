/** Activation functions that every network may have. */
import { float, int, string } from "../../onnx/graph.ts";
import type { Op } from "../op.ts";
import { anyNumber, bounded, from, type RangeRule } from "../range.ts";
import { cast, choosing, elementwise, finite, ofFirst, output } from "../rules.ts";
import { axisOf, sameShape } from "../shapes.ts";
import { floatAttribute, stringAttribute } from "../view.ts";

/** d tanh x = (1 − y²) dx */
export const Tanh: Op = {
  ...elementwise((g, _, [y]) => g.sub(1, g.mul(y, y))),
  range: bounded(-1, 1),
};

/** d σ(x) = σ(x) σ(−x) dx, which keeps its digits on both sides */
export const Sigmoid: Op = {
  ...elementwise((g, [x], [y]) => g.mul(y, g.sigmoid(g.neg(x)))),
  range: bounded(0, 1),
};

/** d relu(x) = [x > 0] dx; 0 at 0, as in PyTorch */
export const Relu: Op = {
  ...choosing((g, [x], [y]) => cast(g, g.greater(y, 0), x.dtype)),
  range: (input) => ({ ...input(0), low: Math.max(0, input(0).low), high: Math.max(0, input(0).high) }),
};

/** d leakyRelu(x) = (x > 0 ? 1 : α) dx; α at 0, as in PyTorch */
export const LeakyRelu: Op = {
  ...elementwise((g, [x], _, { node }) => {
    const alpha = g.scalar(x.dtype, floatAttribute(node, "alpha", 0.01));
    return g.where(g.greater(x, 0), 1, alpha);
  }),
  defaults: { alpha: float(0.01) },
};

/** d elu(x) = (x > 0 ? 1 : y + α) dx */
export const Elu: Op = {
  ...elementwise((g, [x], [y], { node }) => {
    const alpha = floatAttribute(node, "alpha", 1);
    return g.where(g.greater(x, 0), 1, g.add(y, alpha));
  }),
  defaults: { alpha: float(1) },
};

/** d softplus(x) = σ(x) dx */
export const Softplus: Op = {
  ...elementwise((g, [x]) => g.sigmoid(x)),
  range: (input) => ({ ...input(0), low: 0, high: Math.max(input(0).high, 0) + 1 }),
};

/**
 * d gelu(x) = (Φ(x) + x φ(x)) dx;
 * with approximate = tanh: u = √(2/π)(x + 0.044715 x³), d = (½(1 + tanh u) + ½ x (1 − tanh² u) u′) dx
 */
export const Gelu: Op = {
  ...elementwise((g, [x], _, { node }) => {
    const square = g.mul(x, x);
    if (stringAttribute(node, "approximate", "none") === "none") {
      const cumulative = g.mul(g.add(g.erf(g.mul(x, Math.SQRT1_2)), 1), 0.5);
      const density = g.mul(g.exp(g.mul(square, -0.5)), 1 / Math.sqrt(2 * Math.PI));
      return g.add(cumulative, g.mul(x, density));
    }
    const root = Math.sqrt(2 / Math.PI);
    const inner = g.mul(x, g.add(g.mul(square, 0.044715 * root), root));
    const innerSlope = g.add(g.mul(square, 3 * 0.044715 * root), root);
    const tanh = g.tanh(inner);
    const tanhSlope = g.mul(g.sub(1, g.mul(tanh, tanh)), innerSlope);
    return g.mul(g.add(g.add(tanh, 1), g.mul(x, tanhSlope)), 0.5);
  }),
  defaults: { approximate: string("none") },
};

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
  jvp: ofFirst((g, node, dx) => {
    const y = finite(g, output(node), output(node));
    const mean = g.reduceSum(g.mul(dx, y), [axisOf(node, -1) + 1]);
    return g.mul(g.sub(dx, mean), y);
  }),
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
  jvp: ofFirst((g, node, dx) => {
    const probability = finite(g, g.exp(output(node)), output(node));
    const mean = g.reduceSum(g.mul(dx, probability), [axisOf(node, -1) + 1]);
    return g.sub(dx, mean);
  }),
};
