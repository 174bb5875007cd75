/** Pools: the largest, the mean or the norm over windows of an image. */
import { type Attributes, formatShape, int, ints, string, type Value } from "../../onnx/graph.ts";
import { nodeError } from "../../onnx/node-error.ts";
import { elementCount, tensorOf } from "../../onnx/tensor.ts";
import type { Emitter } from "../emitter.ts";
import type { Op, StackedTangent } from "../op.ts";
import {
  type SlidingWindow,
  slidingAttributes,
  slidingWindows,
  transposedAttributes,
} from "../products/sliding-windows.ts";
import {
  broadcastTangent,
  cast,
  foldIntoBatch,
  gatherElements,
  ofFirst,
  only,
  output,
  reshape,
  tangentCount,
} from "../rules.ts";
import { arange, keepAxes, required } from "../shapes.ts";
import { type ComputedNode, intAttribute, intsAttribute, type NodeView, type ValueType } from "../view.ts";

/** d max(x) = dx at the largest position of each window; of equal ones the first, as in PyTorch */
export const MaxPool: Op = {
  shape: (node) => {
    const [y] = poolShape(node) as [ValueType];
    return node.node.outputs.length > 1 ? [y, { dtype: "int64", shape: y.shape }] : [y];
  },
  defaults: { auto_pad: string("NOTSET"), ceil_mode: int(0), storage_order: int(0) },
  jvp: ofFirst((g, node, dx) => {
    // Only indices that count along rows are positions in the tensor.
    const isRowMajor = intAttribute(node.node, "storage_order", 0) === 0;
    const known = isRowMajor ? node.outputs[1] : undefined;
    const { storage_order: _, ...attributes } = node.node.attributes;
    return tangentAtLargest(g, node, dx, known ?? largestPositions(g, node, attributes));
  }),
  faster: largestInPairs,
};

/** From so many windows on, more nodes are faster than one slow one. */
const leastWindows = 2 ** 12;

/**
 * Pools of 2×2 positions side by side that also say where the largest stand, which engines look for one by one: three pools of parts
 * of a window tell by which comparisons with the largest they fail. a b / c d: a = y, or max(a, b) = y, or max(a, c) = y, or d.
 */
function largestInPairs(g: Emitter, node: NodeView): readonly Value[] | undefined {
  const x = required(node, 0);
  const windows = node.node.outputs.length > 1 && x.shape.length === 4 ? poolWindows(node) : [];
  const isPair = ({ input, output, size, stride, dilation, before }: SlidingWindow) =>
    size === 2 && stride === 2 && dilation === 1 && before === 0 && input === 2 * output;
  const isRowMajor = intAttribute(node.node, "storage_order", 0) === 0;
  const [height, width] = windows;
  if (!height || !width || !windows.every(isPair) || !isRowMajor || x.dtype !== "float32") return undefined;
  const [images, channels] = [x.shape[0] as number, x.shape[1] as number];
  const planes = images * channels;
  const windowsOfPlane = height.output * width.output;
  // A position in a plane is a float32 here.
  if (planes * windowsOfPlane < leastWindows || 4 * windowsOfPlane > 2 ** 24) return undefined;
  const pool = (...kernel_shape: number[]) => g.maxPool(x, { kernel_shape, strides: [2, 2] });
  const y = pool(2, 2);
  const falls = (part: Value) => cast(g, g.less(part, y), "float32");
  const inSecondRow = g.mul(falls(pool(1, 2)), g.add(falls(pool(2, 1)), width.input - 1));
  const inWindow = g.mul(falls(pool(1, 1)), g.add(inSecondRow, 1));
  const starts = arange(height.output).flatMap((row) =>
    arange(width.output).map((column) => 2 * (row * width.input + column)),
  );
  const inPlane = g.add(inWindow, g.constant(tensorOf("float32", starts, [height.output, width.output])));
  const plane = arange(planes).map((index) => index * height.input * width.input);
  const before = g.constant(tensorOf("int64", plane, [images, channels, 1, 1]));
  return [y, g.add(cast(g, inPlane, "int64"), before)];
}

/** d max(x) = dx at the largest position of each channel; of equal ones the first, as in PyTorch's adaptive_max_pool */
export const GlobalMaxPool: Op = {
  shape: globalShape,
  jvp: ofFirst((g, node, dx) => {
    const attributes = { kernel_shape: ints(required(node, 0).shape.slice(2)) };
    return tangentAtLargest(g, node, dx, largestPositions(g, node, attributes));
  }),
};

/** Where each window's largest element stands in the tensor, counted from its first element. */
function largestPositions(g: Emitter, node: ComputedNode, attributes: Attributes): Value {
  return g.node("MaxPool", [required(node, 0)], attributes, { outputs: 2 })[1] as Value;
}

function tangentAtLargest(g: Emitter, node: ComputedNode, tangent: StackedTangent, positions: Value): Value {
  const x = required(node, 0);
  const k = tangentCount(tangent);
  const count = elementCount(x.shape);
  const flat = reshape(g, broadcastTangent(g, tangent, x), [k, count]);
  // The positions are repeated k times: 32 bits, where they suffice, take half of the memory.
  const indices = cast(
    g,
    reshape(g, positions, [elementCount(positions.shape)]),
    count < 2 ** 31 ? "int32" : "int64",
  );
  return reshape(g, gatherElements(g, flat, indices, 0), [k, ...output(node).shape]);
}

/** d mean(x) = mean(dx) over each window */
export const AveragePool: Op = {
  shape: poolShape,
  defaults: { auto_pad: string("NOTSET"), ceil_mode: int(0), count_include_pad: int(0) },
  jvp: ofFirst(foldIntoBatch),
  // x̄ = each window's ȳ / count, spread over the window by a transposed convolution with ones
  transpose: (g, node, cotangents) => {
    const { shape } = required(node, 0);
    const windows = poolWindows(node);
    const divided = g.div(only(cotangents), windowCounts(g, node, windows));
    const images = elementCount(shape.slice(0, 2));
    const alone = reshape(g, divided, [images, 1, ...windows.map((each) => each.output)]);
    const spread = g.convTranspose(alone, onesKernel(g, node, windows), transposedAttributes(windows));
    return reshape(g, spread, shape);
  },
};

/** How many positions each window averages over: [...output positions] */
function windowCounts(g: Emitter, node: ComputedNode, windows: readonly SlidingWindow[]): Value {
  const includesPadding = intAttribute(node.node, "count_include_pad", 0) === 1;
  const counts = windows.map(({ input, output, size, stride, dilation, before, behind }) => {
    const [low, high] = includesPadding ? [-before, input + behind] : [0, input];
    return arange(output).map((index) => {
      const positions = arange(size).map((inside) => index * stride + inside * dilation - before);
      return positions.filter((covered) => covered >= low && covered < high).length;
    });
  });
  const products = counts.reduce(
    (product, axis) => product.flatMap((count) => axis.map((other) => count * other)),
    [1],
  );
  const { dtype } = output(node);
  const [first = 1] = products;
  if (products.every((count) => count === first)) return g.scalar(dtype, first);
  const shape = counts.map((axis) => axis.length);
  return g.constant(tensorOf(dtype, products, shape));
}

function onesKernel(g: Emitter, node: ComputedNode, windows: readonly SlidingWindow[]): Value {
  const sizes = windows.map(({ size }) => size);
  const ones = arange(elementCount(sizes)).map(() => 1);
  return g.constant(tensorOf(output(node).dtype, ones, [1, 1, ...sizes]));
}

/** d mean(x) = mean(dx) over each channel */
export const GlobalAveragePool: Op = {
  shape: globalShape,
  jvp: ofFirst((g, node, dx) => {
    const axes = spatialAxes(node).map((axis) => axis + 1);
    return g.reduceMean(broadcastTangent(g, dx, required(node, 0)), axes);
  }),
};

/** d (Σ|x|ᵖ)^(1/p) = Σ sign(x) |x|ᵖ⁻¹ dx / yᵖ⁻¹ over each window; 0 where y = 0 */
export const LpPool: Op = {
  shape: poolShape,
  defaults: { auto_pad: string("NOTSET"), ceil_mode: int(0), p: int(2) },
  jvp: ofFirst((g, node, dx) => {
    const windows = poolWindows(node);
    const p = intAttribute(node.node, "p", 2);
    const weighted = g.mul(dx, normSlope(g, required(node, 0), p));
    const images = elementCount(weighted.shape.slice(0, 3));
    const alone = reshape(g, weighted, [images, 1, ...windows.map(({ input }) => input)]);
    const sums = g.conv(alone, onesKernel(g, node, windows), slidingAttributes(windows));
    const y = output(node);
    return dividedByNorm(g, reshape(g, sums, [tangentCount(dx), ...y.shape]), y, p);
  }),
};

/** (Σ|x|ᵖ)^(1/p) over each channel: one window as large as the image */
export const GlobalLpPool: Op = {
  shape: globalShape,
  defaults: { p: int(2) },
  lower: (g, node) => {
    const x = required(node, 0);
    const p = intAttribute(node.node, "p", 2);
    return [g.lpPool(x, { kernel_shape: x.shape.slice(2), p })];
  },
};

/** sign(x) |x|ᵖ⁻¹ */
function normSlope(g: Emitter, x: Value, p: number): Value {
  if (p === 2) return x;
  const sign = g.sign(x);
  return p === 1 ? sign : g.mul(sign, g.pow(g.abs(x), p - 1));
}

/** Sums / yᵖ⁻¹; where y = 0, all of x and the sums are 0. */
function dividedByNorm(g: Emitter, sums: Value, y: Value, p: number): Value {
  if (p === 1) return sums;
  const safe = g.where(g.equal(y, 0), 1, y);
  return g.div(sums, p === 2 ? safe : g.pow(safe, p - 1));
}

function poolShape(node: NodeView): ValueType[] {
  const { dtype, shape } = required(node, 0);
  return [{ dtype, shape: [...shape.slice(0, 2), ...poolWindows(node).map((each) => each.output)] }];
}

function poolWindows(node: NodeView): SlidingWindow[] {
  const sizes = intsAttribute(node.node, "kernel_shape");
  const { shape } = required(node, 0);
  if (!sizes || shape.length !== sizes.length + 2 || shape.length < 3) {
    throw nodeError(
      node.node,
      `its kernel_shape ${sizes ? formatShape(sizes) : "is missing and"} does not fit the ` +
        `input ${formatShape(shape)}; expected [batch, channels, …] with one kernel size for each further axis.`,
    );
  }
  return slidingWindows(node, sizes);
}

function globalShape(node: NodeView): ValueType[] {
  const { dtype, shape } = required(node, 0);
  return [{ dtype, shape: keepAxes(shape, spatialAxes(node)) }];
}

function spatialAxes(node: NodeView): number[] {
  return required(node, 0).shape.flatMap((_, axis) => (axis < 2 ? [] : [axis]));
}
