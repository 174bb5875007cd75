/** Activation functions of some networks. */
import { float, int } from "../../onnx/graph.ts";
import type { Op } from "../op.ts";
import { bounded } from "../range.ts";
import { cast, choosing, elementwise, zero } from "../rules.ts";
import { sameShape } from "../shapes.ts";
import { floatAttribute } from "../view.ts";

// The float32 numbers that the ONNX standard gives as defaults.
const selu = { alpha: 1.6732631921768188, gamma: 1.0507010221481323 };

/** d selu(x) = (x > 0 ? γ : y + γα) dx; γα at 0, as in PyTorch */
export const Selu: Op = {
  ...elementwise((g, [x], [y], { node }) => {
    const alpha = floatAttribute(node, "alpha", selu.alpha);
    const gamma = floatAttribute(node, "gamma", selu.gamma);
    const below = g.add(y, gamma * alpha);
    return g.where(g.greater(x, 0), gamma, below);
  }),
  defaults: { alpha: float(selu.alpha), gamma: float(selu.gamma) },
};

/** d celu(x) = (x > 0 ? 1 : y/α + 1) dx */
export const Celu: Op = {
  ...elementwise((g, [x], [y], { node }) => {
    const below = g.add(g.div(y, floatAttribute(node, "alpha", 1)), 1);
    return g.where(g.greater(x, 0), 1, below);
  }),
  defaults: { alpha: float(1) },
};

/** d prelu(x, s) = (x > 0 ? 1 : s) dx + (x > 0 ? 0 : x) ds; s at 0, as in PyTorch */
export const PRelu: Op = {
  ...choosing(
    (g, [x, slope]) => g.where(g.greater(x, 0), 1, slope),
    (g, [x]) => g.where(g.greater(x, 0), 0, x),
  ),
  shape: sameShape,
};

/** d thresholdedRelu(x) = [x > α] dx; 0 at the threshold, as in PyTorch's `threshold` */
export const ThresholdedRelu: Op = {
  ...choosing((g, [x], _, { node }) => {
    const alpha = floatAttribute(node, "alpha", 1);
    return cast(g, g.greater(x, alpha), x.dtype);
  }),
  defaults: { alpha: float(1) },
};

/** d shrink(x) = [|x| > λ] dx; 0 at ±λ, as in PyTorch's `hardshrink` and `softshrink` */
export const Shrink: Op = {
  ...choosing((g, [x], _, { node }) => {
    const lambda = floatAttribute(node, "lambd", 0.5);
    return cast(g, g.greater(g.abs(x), lambda), x.dtype);
  }),
  defaults: { lambd: float(0.5), bias: float(0) },
};

/** d hardSigmoid(x) = α [0 < y < 1] dx; 0 at both ends, as in PyTorch */
export const HardSigmoid: Op = {
  ...choosing((g, _, [y], { node }) => {
    const isInside = g.and(g.greater(y, 0), g.less(y, 1));
    return g.mul(cast(g, isInside, y.dtype), floatAttribute(node, "alpha", 0.2));
  }),
  range: bounded(0, 1),
  defaults: { alpha: float(0.2), beta: float(0.5) },
};

/** d hardSwish(x) = (x/3 + ½) dx between −3 and 3, 0 below, dx above; at −3 and 3 as below and above, as in PyTorch */
export const HardSwish = choosing((g, [x]) => {
  const inside = g.add(g.div(x, 3), 0.5);
  const raised = g.where(g.lessOrEqual(x, -3), 0, inside);
  return g.where(g.greaterOrEqual(x, 3), 1, raised);
});

/** d softsign(x) = dx / (1 + |x|)² */
export const Softsign = elementwise((g, [x]) => {
  const scale = g.reciprocal(g.add(g.abs(x), 1));
  return g.mul(scale, scale);
});

/** t = tanh(softplus(x)): d mish(x) = (t + x (1 − t²) σ(x)) dx */
export const Mish = elementwise((g, [x]) => {
  const tanh = g.tanh(g.softplus(x));
  const slope = g.mul(g.sub(1, g.mul(tanh, tanh)), g.sigmoid(x));
  return g.add(tanh, g.mul(x, slope));
});

/** s = σ(αx): d swish(x) = s (1 + αx (1 − s)) dx */
export const Swish: Op = {
  ...elementwise((g, [x], _, { node }) => {
    const scaled = g.mul(x, floatAttribute(node, "alpha", 1));
    const s = g.sigmoid(scaled);
    return g.mul(s, g.add(g.mul(scaled, g.sub(1, s)), 1));
  }),
  defaults: { alpha: float(1) },
};

/** One at the largest element, piecewise constant: no derivative. */
export const Hardmax: Op = { ...zero(sameShape), defaults: { axis: int(-1) } };
