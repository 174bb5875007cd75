/** Convolutions and transposed convolutions. */
import { formatShape, int, string, type Value } from "../../onnx/graph.ts";
import { nodeError } from "../../onnx/node-error.ts";
import { elementCount, tensorOf } from "../../onnx/tensor.ts";
import type { Emitter } from "../emitter.ts";
import { type FactoredTangent, isFactored, type Op, type StackedTangent, type Tangent } from "../op.ts";
import { mixed } from "../range.ts";
import {
  broadcastTangent,
  foldIntoBatch,
  only,
  output,
  rearrange,
  reshape,
  sameDimensions,
  stacked,
  sum,
  tangentCount,
  transpose,
} from "../rules.ts";
import { arange, required, sizeOf } from "../shapes.ts";
import { type ComputedNode, intAttribute, type NodeView } from "../view.ts";
import {
  convolved,
  correlated,
  type MetTaps,
  metTaps,
  transposedMeetings,
  windowMeetings,
} from "./columns.ts";
import {
  type SlidingWindow,
  slidingAttributes,
  slidingWindows,
  transposedAttributes,
  transposedWindows,
} from "./sliding-windows.ts";

/** Images of so few positions are convolved by one product for the whole batch, where the engine makes one for each example. */
const fewPositions = 16;
const fewExamples = 16;

/** So many meetings of windows and positions are listed in a graph. */
const mostMeetings = 2 ** 16;

/** d conv(x, W, b) = conv(dx, W) + conv(x, dW) + db */
export const Conv: Op = {
  range: mixed,
  shape: (node) => {
    const [x, w] = [required(node, 0), required(node, 1)];
    const group = groupsOf(node);
    const [filters = 0, channels = 0] = w.shape;
    if (x.shape.length < 3 || w.shape.length !== x.shape.length || x.shape[1] !== channels * group) {
      throw nodeError(
        node.node,
        `input X has shape ${formatShape(x.shape)}, expected [batch, ${channels * group}, ` +
          `…] with ${w.shape.length} axes to match kernels of shape ${formatShape(w.shape)} and group ${group}; check ` +
          "the channels of the layers around it.",
      );
    }
    checkBias(node, filters, filters % group === 0);
    const windows = convWindows(node);
    return [
      { dtype: x.dtype, shape: [x.shape[0] as number, filters, ...windows.map(({ output }) => output)] },
    ];
  },
  defaults: { group: int(1), auto_pad: string("NOTSET") },
  jvp: (g, node, tangents) => [convTangent(g, node, tangents)],
  jvpFactored: (g, node, tangents) => {
    // With few filters in a group the factors would give as many channels as stacked tangents do.
    const kernels = tangents[1];
    const rank = isFactored(kernels) ? (kernels.left.shape[2] as number) : 0;
    const declines = rank * groupsOf(node) >= (required(node, 1).shape[0] as number);
    return declines ? undefined : [convTangent(g, node, tangents)];
  },
  transpose: (g, node, cotangents, index) => {
    const [x, w] = [required(node, 0), required(node, 1)];
    const cotangent = only(cotangents);
    const [group, windows] = [groupsOf(node), convWindows(node)];
    if (index === 2) return channelSum(g, cotangent);
    if (index === 1) return kernelCotangent(g, x, cotangent, w.shape, windows, group);
    return imageCotangent(g, x, cotangent, w, windows, group);
  },
  faster: (g, node) => {
    const [x, w] = [required(node, 0), required(node, 1)];
    const windows = convWindows(node);
    const outputs = elementCount(windows.map(({ output }) => output));
    if (groupsOf(node) > 1 || outputs > fewPositions || sizeOf(x, 0) < fewExamples) return undefined;
    const shape = [sizeOf(x, 0), sizeOf(w, 0), ...windows.map(({ output }) => output)];
    const met = metTaps(windows);
    return [convolved(g, ofTaps(g, w, met), x, windowMeetings(met.windows), shape, node.inputs[2])];
  },
};

function groupsOf(node: NodeView): number {
  return intAttribute(node.node, "group", 1);
}

function convWindows(node: NodeView): SlidingWindow[] {
  return slidingWindows(node, required(node, 1).shape.slice(2));
}

function checkBias(node: NodeView, filters: number, divides: boolean): void {
  const bias = node.inputs[2];
  if (!divides || (bias && (bias.shape.length !== 1 || bias.shape[0] !== filters))) {
    throw nodeError(
      node.node,
      `has ${filters} filters and group ${groupsOf(node)}` +
        `${bias ? ` and a bias of shape ${formatShape(bias.shape)}, expected [${filters}]` : ""}; the group must ` +
        "divide the filters (of a ConvTranspose, the channels), and each filter has one bias.",
    );
  }
}

function convTangent(g: Emitter, node: ComputedNode, [dx, dw, db]: readonly (Tangent | undefined)[]): Value {
  const terms: Value[] = [];
  const bias = db && whole(g, db, node, 2);
  if (dx) terms.push(foldIntoBatch(g, node, whole(g, dx, node, 0), [required(node, 1)]));
  if (isFactored(dw)) terms.push(factoredKernelTangent(g, node, dw));
  else if (dw) terms.push(stackedKernelTangent(g, node, whole(g, dw, node, 1), bias));
  if (bias && (!dw || isFactored(dw))) terms.push(biasTangent(g, node, bias));
  return broadcastTangent(g, sum(g, terms) as Value, output(node));
}

/** [k, channels] → [k, 1, channels, 1, …] */
function biasTangent(g: Emitter, node: ComputedNode, bias: StackedTangent): Value {
  const ones = output(node)
    .shape.slice(2)
    .map(() => 1);
  return reshape(g, bias, [tangentCount(bias), 1, sizeOf(bias, 1), ...ones]);
}

/** A tangent of input `index` as [k, ...shape]. */
function whole(g: Emitter, tangent: Tangent, node: ComputedNode, index: number): StackedTangent {
  const input = required(node, index);
  return broadcastTangent(g, stacked(g, tangent, input.shape), input);
}

/** conv(x, Ẇᵢ) + ḃᵢ for k tangents of the kernels: one Conv with k times as many filters. */
function stackedKernelTangent(
  g: Emitter,
  node: ComputedNode,
  tangent: Value,
  bias: Value | undefined,
): Value {
  const [filters = 0, ...kernel] = required(node, 1).shape;
  const k = tangentCount(tangent);
  const group = groupsOf(node);
  // A group's filters stand together, so the tangents' axis goes behind the groups.
  const grouped = (value: Value, shape: readonly number[]) => {
    const inner = elementCount(value.shape) / Math.max(k * group, 1);
    return rearrange(g, value, [k, group, inner], [1, 0, 2], [k * filters, ...shape]);
  };
  const kernels = grouped(tangent, kernel);
  const biases = bias && grouped(bias, []);
  return ungrouped(g, node, g.conv(required(node, 0), kernels, biases, node.node.attributes), k);
}

/** [batch, groups × k × channels, …] → [k, batch, groups × channels, …] */
function ungrouped(g: Emitter, node: ComputedNode, y: Value, k: number): Value {
  const [batch = 0, channels = 0, ...spatial] = output(node).shape;
  const group = groupsOf(node);
  const inner = (channels / group) * elementCount(spatial);
  return rearrange(g, y, [batch, group, k, inner], [2, 0, 1, 3], [k, ...output(node).shape]);
}

/**
 * conv(x, leftᵢ·rightᵢᵀ): convolutions with the k·r right factors only, then one product with the left factors.
 * The right factors serve every group, because columns are the kernel of one filter.
 */
function factoredKernelTangent(g: Emitter, node: ComputedNode, { left, right }: FactoredTangent): Value {
  const [batch = 0, filters = 0, ...spatial] = output(node).shape;
  const kernel = required(node, 1).shape.slice(1);
  const [k = 0, , r = 0] = left.shape;
  const [group, pixels] = [groupsOf(node), elementCount(spatial)];
  const rows = reshape(g, transpose(g, right, [0, 2, 1]), [1, k * r, ...kernel]);
  const repeated = group === 1 ? rows : g.expand(rows, [group, k * r, ...kernel]);
  const kernels = reshape(g, repeated, [group * k * r, ...kernel]);
  const thin = g.conv(required(node, 0), kernels, node.node.attributes);
  const parts = transpose(g, reshape(g, thin, [batch, group, k, r * pixels]), [2, 0, 1, 3]);
  const near = reshape(g, left, [k, 1, group, filters / group, r]);
  const far = reshape(g, parts, [k, batch, group, r, pixels]);
  const product = r === 1 ? g.mul(near, far) : g.matMul(near, far);
  return reshape(g, product, [k, ...output(node).shape]);
}

/** The cotangent of a bias: [batch, channels, …] → [channels] */
function channelSum(g: Emitter, cotangent: Value): Value {
  const axes = cotangent.shape.flatMap((_, axis) => (axis === 1 ? [] : [axis]));
  return g.reduceSum(cotangent, axes, { keepdims: 0 });
}

/**
 * x̄[n, c, i] = Σ ȳ[n, f, o] W[f, c, w] over filters f and the places w and windows o with o·stride + w·dilation − before = i.
 *
 * The forms were chosen by measurement: the engine's ConvTranspose makes a product for each example and adds up its numbers
 * one by one.
 */
function imageCotangent(
  g: Emitter,
  x: Value,
  cotangent: Value,
  kernels: Value,
  windows: readonly SlidingWindow[],
  group: number,
): Value {
  const [batch = 0, channels = 0] = x.shape;
  const inputs = elementCount(windows.map(({ input }) => input));
  const outputs = elementCount(windows.map(({ output }) => output));
  if (group === 1 && inputs <= fewPositions && batch >= fewExamples) {
    const met = metTaps(windows);
    const turned = swapFirst(g, ofTaps(g, kernels, met));
    return convolved(g, turned, cotangent, transposedMeetings(met.windows), x.shape);
  }
  const pads = windows.map(({ size, dilation, before, after }) => [
    (size - 1) * dilation - before,
    (size - 1) * dilation - after,
  ]);
  const slidesBack = windows.every(({ stride }) => stride === 1) && pads.flat().every((pad) => pad >= 0);
  if (group === 1 && slidesBack && channels >= 16 && outputs >= 64 && inputs <= 1.5 * outputs) {
    return g.conv(cotangent, reversed(g, swapFirst(g, kernels)), {
      dilations: windows.map(({ dilation }) => dilation),
      pads: [...pads.map(([before]) => before as number), ...pads.map(([, after]) => after as number)],
    });
  }
  return g.convTranspose(cotangent, kernels, { ...transposedAttributes(windows), group });
}

/** The part of kernels [filters, channels, …] that meets an image. */
function ofTaps(g: Emitter, kernels: Value, met: MetTaps): Value {
  const sizes = met.windows.map(({ size }) => size);
  return movedTaps(g, kernels, [...kernels.shape.slice(0, 2), ...sizes], met, { transB: 1 });
}

/** The way back from `ofTaps`, to kernels of this shape with zeros elsewhere. */
function amongAll(g: Emitter, part: Value, shape: readonly number[], met: MetTaps): Value {
  return movedTaps(g, part, shape, met, {});
}

/** A product with 0 and 1, because engines take several times as long for a Slice or Pad of so few numbers in a row. */
function movedTaps(
  g: Emitter,
  kernels: Value,
  shape: readonly number[],
  { met, taps }: MetTaps,
  attributes: { readonly transB?: 1 },
): Value {
  if (sameDimensions(kernels.shape, shape)) return kernels;
  const chosen = met.flatMap((one) => arange(taps).map((tap) => (tap === one ? 1 : 0)));
  const choice = g.constant(tensorOf(kernels.dtype, chosen, [met.length, taps]));
  const rows = elementCount(shape.slice(0, 2));
  const flat = reshape(g, kernels, [rows, elementCount(kernels.shape.slice(2))]);
  return reshape(g, g.gemm(flat, choice, attributes), shape);
}

/** [filters, channels, …] → [channels, filters, …] */
function swapFirst(g: Emitter, kernels: Value): Value {
  return transpose(g, kernels, [1, 0, ...arange(kernels.shape.length).slice(2)]);
}

/** The places of kernels [a, b, …] in the opposite order. */
function reversed(g: Emitter, kernels: Value): Value {
  const axes = arange(kernels.shape.length).slice(2);
  const all = (value: number) => axes.map(() => value);
  return g.slice(kernels, all(-1), all(Number.MIN_SAFE_INTEGER), axes, all(-1));
}

/**
 * W̄[f, c, w] = Σ ȳ[n, f, o] x[n, c, o·stride + w·dilation − before] over batch n and output positions o: a product of ȳ and
 * the image's columns; with groups, or of images whose columns would be long lists, a Conv in which batch and channels, and strides
 * and dilations, change roles.
 *
 * @param x [batch, groups × c, …]
 * @param y [batch, groups × f / groups, …]
 * @param shape of the kernels: [f, c, …]
 */
function kernelCotangent(
  g: Emitter,
  x: Value,
  y: Value,
  shape: readonly number[],
  windows: readonly SlidingWindow[],
  group: number,
): Value {
  const [batch = 0, filters = 0, ...outputs] = y.shape;
  const [, channels = 0, ...sizes] = shape;
  const inputs = x.shape.slice(2);
  if (group === 1 && elementCount(outputs) * elementCount(sizes) <= mostMeetings) {
    const met = metTaps(windows);
    const metSizes = met.windows.map(({ size }) => size);
    const part = correlated(g, y, x, windowMeetings(met.windows), [filters, channels, ...metSizes]);
    return amongAll(g, part, shape, met);
  }
  const images = rearrange(
    g,
    x,
    [batch, group, channels, elementCount(inputs)],
    [2, 1, 0, 3],
    [channels, group * batch, ...inputs],
  );
  const kernels = rearrange(
    g,
    y,
    [batch, filters, elementCount(outputs)],
    [1, 0, 2],
    [filters, batch, ...outputs],
  );
  const { strides, dilations, pads } = slidingAttributes(windows);
  const product = g.conv(images, kernels, { strides: dilations, dilations: strides, pads, group });
  // Input positions that no window covers count as further window positions.
  const exact = cut(g, product, [channels, filters, ...sizes]);
  return rearrange(g, exact, [channels, filters, elementCount(sizes)], [1, 0, 2], shape);
}

/** The first positions of each axis, so many as the shape says. */
function cut(g: Emitter, value: Value, shape: readonly number[]): Value {
  if (sameDimensions(value.shape, shape)) return value;
  const starts = shape.map(() => 0);
  return g.slice(value, starts, shape, arange(shape.length));
}

/** d convTranspose(x, W, b) = convTranspose(dx, W) + convTranspose(x, dW) + db */
export const ConvTranspose: Op = {
  range: mixed,
  shape: (node) => {
    const [x, w] = [required(node, 0), required(node, 1)];
    const group = groupsOf(node);
    const [channels = 0, filters = 0] = w.shape;
    if (x.shape.length < 3 || w.shape.length !== x.shape.length || x.shape[1] !== channels) {
      throw nodeError(
        node.node,
        `input X has shape ${formatShape(x.shape)}, expected [batch, ${channels}, …] with ` +
          `${w.shape.length} axes to match kernels of shape ${formatShape(w.shape)}; check the channels of the layers ` +
          "around it.",
      );
    }
    checkBias(node, filters * group, channels % group === 0);
    const windows = convTransposeWindows(node);
    return [
      {
        dtype: x.dtype,
        shape: [x.shape[0] as number, filters * group, ...windows.map(({ input }) => input)],
      },
    ];
  },
  defaults: { group: int(1), auto_pad: string("NOTSET") },
  jvp: (g, node, [dx, dw, db]) => {
    const terms: Value[] = [];
    if (dx) terms.push(foldIntoBatch(g, node, dx, [required(node, 1)]));
    if (dw) terms.push(stackedTransposedTangent(g, node, whole(g, dw, node, 1)));
    if (db) terms.push(biasTangent(g, node, db));
    return [broadcastTangent(g, sum(g, terms), output(node))];
  },
  transpose: (g, node, cotangents, index) => {
    const [x, w] = [required(node, 0), required(node, 1)];
    const cotangent = only(cotangents);
    const [group, windows] = [groupsOf(node), convTransposeWindows(node)];
    if (index === 2) return channelSum(g, cotangent);
    if (index === 1) return kernelCotangent(g, cotangent, x, w.shape, windows, group);
    const result = g.conv(cotangent, w, { ...slidingAttributes(windows), group });
    return cut(g, result, x.shape);
  },
};

function convTransposeWindows(node: NodeView): SlidingWindow[] {
  return transposedWindows(node, required(node, 1).shape.slice(2));
}

/** convTranspose(x, Ẇᵢ) for k tangents of the kernels: one ConvTranspose with k times as many filters in each group. */
function stackedTransposedTangent(g: Emitter, node: ComputedNode, tangent: StackedTangent): Value {
  const [k = 0, channels = 0, filters = 0, ...kernel] = tangent.shape;
  const kernels = rearrange(
    g,
    tangent,
    [k, channels, filters * elementCount(kernel)],
    [1, 0, 2],
    [channels, k * filters, ...kernel],
  );
  return ungrouped(g, node, g.convTranspose(required(node, 0), kernels, node.node.attributes), k);
}
