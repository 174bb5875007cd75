/** Normalizations composed of simpler ops. */
import { float, int, type Value } from "../../onnx/graph.ts";
import { nodeError } from "../../onnx/node-error.ts";
import { elementCount, tensorOf } from "../../onnx/tensor.ts";
import type { Emitter } from "../emitter.ts";
import type { Op } from "../op.ts";
import { reshape } from "../rules.ts";
import { arange, axisOf, normalizeAxis, required, sameShape } from "../shapes.ts";
import { floatAttribute, intAttribute, intsAttribute, type NodeView } from "../view.ts";
import { checkChannels, epsilonOf, perChannel } from "./standardize.ts";

/**
 * Each group of channels standardized by its own mean and variance, then s x̂ + b. Since opset 21 there is one s and b
 * for each channel, in opset 18 one for each group; which it is shows in their size.
 */
export const GroupNormalization: Op = {
  shape: (node) => {
    groupSizes(node);
    return [required(node, 0)];
  },
  defaults: { epsilon: float(1e-5), num_groups: int(1), stash_type: int(1) },
  lower: (g, node) => {
    const x = required(node, 0);
    const { batch, groups, channels } = groupSizes(node);
    const flat = reshape(g, x, [batch, groups, elementCount(x.shape) / (batch * groups || 1)]);
    const standard = standardized(g, flat, epsilonOf(node));
    const isPerGroup = required(node, 1).shape[0] !== channels;
    const restored = isPerGroup ? standard : reshape(g, standard, x.shape);
    const scaled = g.mul(restored, perChannel(g, required(node, 1), restored.shape.length));
    const result = g.add(scaled, perChannel(g, required(node, 2), restored.shape.length));
    return [reshape(g, result, x.shape)];
  },
};

function groupSizes(node: NodeView) {
  const [batch = 0, channels = 0] = required(node, 0).shape;
  const groups = intAttribute(node.node, "num_groups", 0);
  if (!(groups > 0) || channels % groups !== 0) {
    throw nodeError(node.node, `num_groups is ${groups}, expected a divisor of the ${channels} channels.`);
  }
  const size = required(node, 1).shape[0] === groups ? groups : channels;
  checkChannels(node, 1, "scale", [size]);
  checkChannels(node, 2, "bias", [size]);
  return { batch, groups, channels };
}

/** (x − μ)/√(σ² + ε) over the last axis, by the runtime's fused kernel. */
function standardized(g: Emitter, x: Value, epsilon: number): Value {
  // Of full size, because a scale that is broadcast takes twice the time; expanded, which keeps files small.
  const ones = g.expand(g.scalar(x.dtype, 1), x.shape.slice(-1));
  // With its statistics, of which derivatives are made; the engine has them in float32 alone.
  const outputs = x.dtype === "float32" ? 3 : 1;
  return g.node("LayerNormalization", [x, ones], { axis: -1, epsilon }, { outputs })[0];
}

/** Each channel of each example standardized by its own mean and variance, then s x̂ + b. */
export const InstanceNormalization: Op = {
  shape: (node) => {
    const x = required(node, 0);
    checkChannels(node, 1, "scale", [x.shape[1] ?? 1]);
    checkChannels(node, 2, "B", [x.shape[1] ?? 1]);
    return [x];
  },
  defaults: { epsilon: float(1e-5) },
  lower: (g, node) => {
    const x = required(node, 0);
    const [batch = 0, channels = 0, ...positions] = x.shape;
    const standard = standardized(
      g,
      reshape(g, x, [batch, channels, elementCount(positions)]),
      epsilonOf(node),
    );
    const scaled = g.mul(standard, perChannel(g, required(node, 1), 3));
    return [reshape(g, g.add(scaled, perChannel(g, required(node, 2), 3)), x.shape)];
  },
};

/** x/‖x‖ₚ along an axis, p = 1 or 2; 0 where the norm is 0, with the derivative 0. */
export const LpNormalization: Op = {
  shape: sameShape,
  defaults: { axis: int(-1), p: int(2) },
  lower: (g, node) => {
    const x = required(node, 0);
    const p = intAttribute(node.node, "p", 2);
    if (p !== 1 && p !== 2)
      throw nodeError(node.node, `p is ${p}, expected 1 or 2, the norms that ONNX defines.`);
    const powers = p === 1 ? g.abs(x) : g.mul(x, x);
    const total = g.reduceSum(powers, [axisOf(node, -1)]);
    const isZero = g.equal(total, 0);
    const safe = g.where(isZero, 1, total);
    const rate = g.reciprocal(p === 1 ? safe : g.sqrt(safe));
    return [g.mul(x, g.where(isZero, 0, rate))];
  },
};

/** (x − μ)/(σ + 1e-9), the statistics over `axes`; the constant is the standard's. */
export const MeanVarianceNormalization: Op = {
  shape: sameShape,
  lower: (g, node) => {
    const x = required(node, 0);
    const listed = intsAttribute(node.node, "axes") ?? [0, 2, 3];
    const axes = listed.map((axis) => normalizeAxis(axis, x.shape.length, node));
    const centered = g.sub(x, g.reduceMean(x, axes));
    const variance = g.reduceMean(g.mul(centered, centered), axes);
    return [g.div(centered, g.add(g.sqrt(variance), 1e-9))];
  },
};

/** x (bias + α/size · Σ x²)^−β, the sum over the `size` channels around each. */
export const LRN: Op = {
  shape: sameShape,
  defaults: { alpha: float(1e-4), beta: float(0.75), bias: float(1), size: int(1) },
  lower: (g, node) => {
    const x = required(node, 0);
    const [batch = 0, channels = 0, ...positions] = x.shape;
    const size = intAttribute(node.node, "size", 1);
    const attribute = (name: string, fallback: number) =>
      Math.fround(floatAttribute(node.node, name, fallback));
    const [before, after] = [Math.floor((size - 1) / 2), Math.ceil((size - 1) / 2)];
    const isNear = arange(channels * channels).map((index) => {
      const distance = (index % channels) - Math.floor(index / channels);
      return distance >= -before && distance <= after ? 1 : 0;
    });
    // The sliding sum as a product with a band matrix: few channels, and one op with a derivative.
    const band = g.constant(tensorOf(x.dtype, isNear, [channels, channels]));
    const squares = reshape(g, g.mul(x, x), [batch, channels, elementCount(positions)]);
    const sums = reshape(g, g.matMul(band, squares), x.shape);
    const base = g.add(g.mul(sums, attribute("alpha", 1e-4) / size), attribute("bias", 1));
    return [g.mul(x, g.pow(base, -attribute("beta", 0.75)))];
  },
};
