/** Normalizations with derivative rules of their own: batch, layer and root mean square. */
import { float, int, type Value } from "../../onnx/graph.ts";
import { nodeError, unsupportedNode } from "../../onnx/node-error.ts";
import { dtypeFromNumber } from "../../onnx/tensor.ts";
import type { Emitter } from "../emitter.ts";
import type { Op } from "../op.ts";
import { mixed } from "../range.ts";
import { align, broadcastTangent, cast, output, reshape, sum, tangentCount } from "../rules.ts";
import { axisOf, keepAxes, required, sizeOf } from "../shapes.ts";
import { type ComputedNode, floatAttribute, intAttribute, type NodeView } from "../view.ts";
import {
  channelTangent,
  checkChannels,
  epsilonOf,
  perChannel,
  standardize,
  standardTangent,
  toUnit,
  type Unit,
  unitTangent,
} from "./standardize.ts";

type Tangents = readonly (Value | undefined)[];

/**
 * y = s x̂ + b with x̂ = (x − μ)/√(σ² + ε) for each channel.
 *
 * With given μ and σ²: dy = s r dx + x̂ (ds − ½ s r² dσ²) + (db − s r dμ), where r = 1/√(σ² + ε).
 * With training_mode = 1, μ and σ² (in population form) are those of the batch:
 * dy = s r (dc − x̂ mean(x̂ dc)) + x̂ ds + db, where dc = dx − mean(dx); the running statistics keep `momentum` of theirs.
 */
export const BatchNormalization: Op = {
  range: mixed,
  shape: (node) => {
    const x = required(node, 0);
    const channels = [x.shape[1] ?? 1];
    for (const [index, name] of ["scale", "B", "mean", "var"].entries())
      checkChannels(node, index + 1, name, channels);
    if (node.node.outputs.length > (isTraining(node) ? 3 : 1)) {
      throw nodeError(
        node.node,
        `it has ${node.node.outputs.length} outputs, expected Y alone, or with ` +
          "training_mode = 1 Y, running_mean and running_var.",
      );
    }
    const running = { dtype: required(node, 3).dtype, shape: channels };
    return [x, running, running].slice(0, node.node.outputs.length);
  },
  defaults: { epsilon: float(1e-5), momentum: float(0.9), training_mode: int(0) },
  upgrade: (node, opset) => {
    if (opset >= 14 || node.outputs.length === 1) return node;
    throw unsupportedNode(
      node,
      `opset ${opset} computes statistics of the batch where a node has ${node.outputs.length} ` +
        "outputs, and that form is not supported; export with opset_version 14 or newer, or after model.eval().",
    );
  },
  jvp: (g, node, tangents) =>
    isTraining(node)
      ? batchStatisticsTangents(g, node, tangents)
      : [givenStatisticsTangent(g, node, tangents)],
};

function isTraining(node: NodeView): boolean {
  return intAttribute(node.node, "training_mode", 0) === 1;
}

function givenStatisticsTangent(
  g: Emitter,
  node: ComputedNode,
  [dx, dscale, dbias, dmean, dvariance]: Tangents,
): Value | undefined {
  const [x, scale] = [required(node, 0), required(node, 1)];
  const [mean, variance] = [required(node, 3), required(node, 4)];
  const { length: rank } = x.shape;
  const rate = g.reciprocal(g.sqrt(g.add(variance, epsilonOf(node))));
  const slope = g.mul(scale, rate);
  const through = dx && g.mul(dx, perChannel(g, slope, rank));
  // Sums of [k, channels] first, so that each large product is made once.
  const ofVariance = dvariance && g.mul(dvariance, g.mul(g.mul(slope, rate), -0.5));
  const gain = sum(g, [dscale, ofVariance]);
  const centered = g.sub(x, perChannel(g, mean, rank));
  const standard = g.mul(centered, perChannel(g, rate, rank));
  const scaled = gain && g.mul(channelTangent(g, gain, rank), standard);
  const ofMean = dmean && g.neg(g.mul(dmean, slope));
  const shift = sum(g, [dbias, ofMean]);
  const shifted = shift && channelTangent(g, shift, rank);
  return broadcastTangent(g, sum(g, [through, scaled, shifted]), output(node));
}

function batchStatisticsTangents(
  g: Emitter,
  node: ComputedNode,
  [dx, dscale, dbias, dmean, dvariance]: Tangents,
): (Value | undefined)[] {
  const x = required(node, 0);
  const { length: rank } = x.shape;
  const axes = x.shape.map((_, axis) => axis).filter((axis) => axis !== 1);
  const unit = standardize(g, x, axes, epsilonOf(node));
  const scale = perChannel(g, required(node, 1), rank);
  const through = dx && standardTangent(g, unit, dx, axes, g.mul(unit.rate, scale));
  const gain = dscale && g.mul(channelTangent(g, dscale, rank), unit.values);
  const shift = dbias && channelTangent(g, dbias, rank);
  const total = sum(g, [through?.tangent, gain, shift]);
  // dμ = mean(dx) and dσ² = 2 mean(x̂ dc)/r
  const ofMean = through?.mean;
  const ofVariance = through && g.div(g.mul(through.projection, 2), unit.rate);
  return [
    broadcastTangent(g, total, output(node)),
    running(g, node, dmean, ofMean),
    running(g, node, dvariance, ofVariance),
  ].slice(0, node.outputs.length);
}

/** momentum · (tangent of the running statistic) + (1 − momentum) · (tangent of the batch's): [k, channels] */
function running(g: Emitter, node: ComputedNode, old: Value | undefined, batch: Value | undefined) {
  const momentum = Math.fround(floatAttribute(node.node, "momentum", 0.9));
  const channels = sizeOf(required(node, 1), 0);
  const part = batch && reshape(g, batch, [tangentCount(batch), channels]);
  return sum(g, [old && g.mul(old, momentum), part && g.mul(part, 1 - momentum)]);
}

/**
 * y = s x̂ + b with x̂ = (x − μ) r, r = 1/√(σ² + ε), the statistics over the axes from `axis` on:
 * dy = s r (dc − x̂ m) + x̂ ds + db, dμ = mean(dx), dr = −r² m, where dc = dx − mean(dx) and m = mean(x̂ dc)
 */
export const LayerNormalization: Op = {
  range: mixed,
  shape: (node) => {
    const x = required(node, 0);
    const number = intAttribute(node.node, "stash_type", 1);
    const statistic = {
      dtype: dtypeFromNumber(number) ?? x.dtype,
      shape: keepAxes(x.shape, trailingAxes(node)),
    };
    return [x, statistic, statistic].slice(0, node.node.outputs.length);
  },
  defaults: { axis: int(-1), epsilon: float(1e-5), stash_type: int(1) },
  // With its statistics, of which derivatives are made; the engine has them in float32 alone.
  lower: (g, { node, inputs: [x, ...others] }) => {
    if (x?.dtype !== "float32" || node.outputs.length > 1 || intAttribute(node, "stash_type", 1) !== 1)
      return undefined;
    return g.node("LayerNormalization", [x, ...others], node.attributes, { outputs: 3 });
  },
  jvp: (g, node, [dx, dscale, dbias]) => {
    const axes = trailingAxes(node);
    const { unit, isScaled } = layerUnit(g, node, axes);
    const factor = isScaled ? g.mul(unit.rate, required(node, 1)) : unit.rate;
    const through = dx && standardTangent(g, unit, dx, axes, factor);
    const bias = dbias && align(g, dbias, node, 2);
    const [, mean, rate] = node.outputs;
    const ofRate = through && rate && g.mul(g.neg(through.projection), g.mul(unit.rate, unit.rate));
    return [
      affineTangent(g, node, unit, through?.tangent, dscale, bias),
      through && mean && cast(g, through.mean, mean.dtype),
      ofRate && rate && cast(g, ofRate, rate.dtype),
    ];
  },
};

/** x̂ and r of a layer's normalization, of what the node computes where it does; whether more than x̂ is in y. */
function layerUnit(g: Emitter, node: ComputedNode, axes: readonly number[]) {
  const [x, scale] = [required(node, 0), required(node, 1)];
  const [y, mean, rate] = node.outputs;
  const isScaled = node.inputs[2] !== undefined || !isOne(g, scale);
  if (!y || !mean || rate?.dtype !== x.dtype)
    return { unit: standardize(g, x, axes, epsilonOf(node)), isScaled };
  return { unit: { values: isScaled ? g.mul(g.sub(x, mean), rate) : y, rate }, isScaled };
}

/** Whether a value is a constant of ones. */
function isOne(g: Emitter, value: Value): boolean {
  const made = g.producer(value);
  const constant = made?.node.op === "Expand" ? made.constant(0) : g.constantOf(value);
  return constant !== undefined && [...constant.data].every((each) => each === 1);
}

/** y = s x̂ with x̂ = x r, r = 1/√(mean(x²) + ε): dy = s r (dx − x̂ mean(x̂ dx)) + x̂ ds, over the axes from `axis` on */
export const RMSNormalization: Op = {
  range: mixed,
  shape: (node) => [required(node, 0)],
  defaults: { axis: int(-1), epsilon: float(1e-5), stash_type: int(1) },
  jvp: (g, node, [dx, dscale]) => {
    const axes = trailingAxes(node);
    const unit = toUnit(g, required(node, 0), axes, epsilonOf(node));
    const through = dx && unitTangent(g, unit, dx, axes, g.mul(unit.rate, required(node, 1)));
    return [affineTangent(g, node, unit, through?.tangent, dscale, undefined)];
  },
};

/** The axes from `axis` on. */
function trailingAxes(node: NodeView): number[] {
  const first = axisOf(node, -1);
  return required(node, 0).shape.flatMap((_, axis) => (axis >= first ? [axis] : []));
}

/** through + x̂ ds + db */
function affineTangent(
  g: Emitter,
  node: ComputedNode,
  unit: Unit,
  through: Value | undefined,
  dscale: Value | undefined,
  dbias: Value | undefined,
): Value | undefined {
  const gain = dscale && g.mul(align(g, dscale, node, 1), unit.values);
  return broadcastTangent(g, sum(g, [through, gain, dbias]), output(node));
}
