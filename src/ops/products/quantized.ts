/**
 * Numbers of few bits. Stored ones are constants, which no tangent reaches; activations are rounded straight through: their
 * derivative is that of the numbers before rounding, and 0 where these lie beyond the range of the type.
 */
import { int, type Value } from "../../onnx/graph.ts";
import { nodeError } from "../../onnx/node-error.ts";
import { type DType, dtypeFromNumber, elementCount } from "../../onnx/tensor.ts";
import type { Emitter } from "../emitter.ts";
import type { Op } from "../op.ts";
import {
  alignRank,
  cast,
  only,
  output,
  rearrange,
  reshape,
  sum,
  tangentCount,
  transpose,
  unbroadcast,
} from "../rules.ts";
import { arange, normalizeAxis, required, sizeOf } from "../shapes.ts";
import { type ComputedNode, intAttribute, type NodeView } from "../view.ts";
import { Conv } from "./conv.ts";
import { MatMul } from "./matmul.ts";

const ranges: Partial<Record<DType, readonly [low: number, high: number]>> = {
  uint8: [0, 255],
  int8: [-128, 127],
  uint16: [0, 65535],
  int16: [-32768, 32767],
};

/** dq = (dx − (x/s) ds)/s where x/s + z lies in the range of the type, 0 beyond */
export const QuantizeLinear: Op = {
  shape: (node) => {
    const dtype = dtypeFromNumber(intAttribute(node.node, "output_dtype", 0));
    return [{ dtype: node.inputs[2]?.dtype ?? dtype ?? "uint8", shape: required(node, 0).shape }];
  },
  defaults: { axis: int(1), block_size: int(0), output_dtype: int(0), precision: int(0), saturate: int(1) },
  jvp: (g, node, [dx, ds]) => {
    const x = required(node, 0);
    const scale = alongAxis(g, node, required(node, 1));
    const zero = node.inputs[2] && cast(g, alongAxis(g, node, node.inputs[2]), x.dtype);
    const scaled = g.div(x, scale);
    const moved = zero ? g.add(scaled, zero) : scaled;
    const [low, high] = ranges[output(node).dtype] ?? [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
    const isInside = g.and(g.greaterOrEqual(moved, low - 0.5), g.lessOrEqual(moved, high + 0.5));
    const numerator = sum(g, [dx, ds && g.neg(g.mul(alongAxis(g, node, ds), scaled))]) as Value;
    return [g.mul(numerator, g.where(isInside, g.reciprocal(scale), 0))];
  },
};

/** dy = s dq + (q − z) ds; stored numbers q have no tangents */
export const DequantizeLinear: Op = {
  shape: (node) => [{ dtype: required(node, 1).dtype, shape: required(node, 0).shape }],
  defaults: { axis: int(1), block_size: int(0), output_dtype: int(0) },
  jvp: (g, node, [dq, ds]) => {
    const numbers = () => {
      const [q, zero] = [required(node, 0), node.inputs[2]];
      const wide = cast(g, q, output(node).dtype);
      return zero ? g.sub(wide, cast(g, alongAxis(g, node, zero), wide.dtype)) : wide;
    };
    const ofNumbers = dq && g.mul(dq, alongAxis(g, node, required(node, 1)));
    return [sum(g, [ofNumbers, ds && g.mul(alongAxis(g, node, ds), numbers())])];
  },
};

/** s = (max(x, 0) − min(x, 0))/255, and dq = (dx − (x/s) ds)/s: the zero point, which is rounded, is held */
export const DynamicQuantizeLinear: Op = {
  shape: (node) => {
    const { dtype, shape } = required(node, 0);
    return [
      { dtype: "uint8", shape },
      { dtype, shape: [] },
      { dtype: "uint8", shape: [] },
    ];
  },
  jvp: (g, node, [tangent]) => {
    if (!tangent) return [];
    const x = required(node, 0);
    const scale = node.outputs[1] as Value;
    const ends = g.sub(
      shareOf(g, x, g.max(g.reduceMax(x, { keepdims: 0 }), 0)),
      shareOf(g, x, g.min(g.reduceMin(x, { keepdims: 0 }), 0)),
    );
    const axes = x.shape.map((_, axis) => axis + 1);
    const ofScale = g.mul(g.reduceSum(g.mul(tangent, ends), axes, { keepdims: 0 }), 1 / 255);
    const spread = reshape(g, ofScale, [tangentCount(tangent), ...x.shape.map(() => 1)]);
    return [g.div(g.sub(tangent, g.mul(spread, g.div(x, scale))), scale), ofScale, undefined];
  },
};

/** What an end of the range takes of each number's tangent: those at the end share it, and 0 as an end is nobody's. */
function shareOf(g: Emitter, x: Value, end: Value): Value {
  const isEnd = cast(g, g.and(g.equal(x, end), g.not(g.equal(x, 0))), x.dtype);
  return g.div(isEnd, g.max(g.reduceSum(isEnd, { keepdims: 0 }), 1));
}

/** d((A − a)(B − b)) = dA (B − b) + (A − a) dB, of the numbers before rounding */
export const MatMulInteger: Op = {
  shape: (node) => MatMul.shape(node).map(({ shape }) => ({ dtype: "int32", shape })),
  jvp: (g, node, [da, db]) => {
    const [a, b] = [required(node, 0), required(node, 1)];
    const rank = output(node).shape.length;
    const left = da && g.matMul(alignRank(g, da, a.shape, rank), centered(g, b, node.inputs[3], false));
    const right = db && g.matMul(centered(g, a, node.inputs[2], true), alignRank(g, db, b.shape, rank));
    return [sum(g, [left, right])];
  },
};

/** d conv(x − z, W − w) = conv(dx, W − w) + conv(x − z, dW), of the numbers before rounding */
export const ConvInteger: Op = {
  shape: (node) => Conv.shape(bare(node)).map(({ shape }) => ({ dtype: "int32", shape })),
  jvp: (g, node, [dx, dw]) => {
    const { shape } = required(node, 0);
    const weight = required(node, 1);
    const convolved = (images: Value, kernels: Value) =>
      g.conv(images, kernels, undefined, node.node.attributes);
    const ofImages = () => {
      if (!dx) return undefined;
      const k = tangentCount(dx);
      const batch = reshape(g, dx, [k * (shape[0] ?? 0), ...shape.slice(1)]);
      return reshape(g, convolved(batch, centeredKernels(g, node)), [k, ...output(node).shape]);
    };
    const ofKernels = () => {
      if (!dw) return undefined;
      // As many kernels in each group as there are in it, times k.
      const [k, group] = [tangentCount(dw), intAttribute(node.node, "group", 1)];
      const [filters = 0, ...kernel] = weight.shape;
      const positions = output(node).shape.slice(2);
      const axes = positions.map((_, axis) => axis + 4);
      const split = [k, group, filters / group, ...kernel];
      const kernels = rearrange(
        ...([g, dw, split, [1, 0, ...split.slice(2).map((_, axis) => axis + 2)]] as const),
        [k * filters, ...kernel],
      );
      const images = centered(g, required(node, 0), node.inputs[2], false);
      const parts = [shape[0] ?? 0, group, k, filters / group, ...positions];
      return rearrange(...([g, convolved(images, kernels), parts, [2, 0, 1, 3, ...axes]] as const), [
        k,
        ...output(node).shape,
      ]);
    };
    return [sum(g, [ofImages(), ofKernels()])];
  },
};

/** W − w as floats; w is one number for all, or one for each kernel. */
function centeredKernels(g: Emitter, node: NodeView): Value {
  const weight = required(node, 1);
  const wide = cast(g, weight, "float32");
  const point = node.inputs[3] && cast(g, node.inputs[3], "float32");
  const isOne = !point || elementCount(point.shape) === 1;
  const zero =
    point && reshape(g, point, isOne ? [] : [sizeOf(point, 0), ...weight.shape.slice(1).map(() => 1)]);
  return zero ? g.sub(wide, zero) : wide;
}

/** The node without zero points, which a convolution of floats has not. */
function bare(node: NodeView): NodeView {
  return { ...node, inputs: node.inputs.slice(0, 2) };
}

/** x − z as floats; z is one number, or one for each row or column. */
function centered(g: Emitter, x: Value, zeroPoint: Value | undefined, isRow: boolean): Value {
  const wide = cast(g, x, "float32");
  if (!zeroPoint) return wide;
  const point = cast(g, zeroPoint, "float32");
  return g.sub(
    wide,
    isRow && point.shape.length === 1 && sizeOf(point, 0) > 1
      ? reshape(g, point, [...point.shape, 1])
      : point,
  );
}

/**
 * A scale or zero point, or [k, ...] tangents of the scale: one for all, for each slice along the node's axis, or for each
 * block of it, in a shape that broadcasts to the node's input.
 */
function alongAxis(g: Emitter, node: NodeView, value: Value): Value {
  const { shape } = required(node, 0);
  const own = required(node, 1).shape;
  const lead = value.shape.slice(0, value.shape.length - own.length);
  if (elementCount(own) === 1)
    return reshape(g, value, lead.length > 0 ? [...lead, ...shape.map(() => 1)] : []);
  const axis = normalizeAxis(intAttribute(node.node, "axis", 1), shape.length, node);
  const size = intAttribute(node.node, "block_size", 0);
  if (size > 0) return inBlocks(g, value, lead.length + axis, size, shape[axis] as number);
  const each = shape.map((length, index) => (index === axis ? length : 1));
  return reshape(g, value, [...lead, ...each]);
}

/** Each number along an axis repeated for its block of `size`; the last block may be cut off at `length`. */
function inBlocks(g: Emitter, value: Value, axis: number, size: number, length: number): Value {
  const [before, count] = [value.shape.slice(0, axis), sizeOf(value, axis)];
  const after = value.shape.slice(axis + 1);
  const apart = reshape(g, value, [...before, count, 1, ...after]);
  const repeated = reshape(g, g.expand(apart, [...before, count, size, ...after]), [
    ...[...before, count * size, ...after],
  ]);
  return count * size === length ? repeated : g.slice(repeated, [0], [length], [axis]);
}

/**
 * dy = dA Wᵀ by the same kernel, the tangents as further rows, + A dWᵀ; W [N, K] is stored in blocks of few bits, each with a
 * scale and perhaps a zero point, and dW = (q − z) ds − s dz. `accuracy_level` rounds activations, never tangents.
 */
export const MatMulNBits: Op = {
  shape: (node) => {
    const { dtype, shape } = required(node, 0);
    return [{ dtype, shape: [...shape.slice(0, -1), intAttribute(node.node, "N", 0)] }];
  },
  defaults: { K: int(0), N: int(0), accuracy_level: int(0), bits: int(4), block_size: int(0) },
  jvp: (g, node, [da, , ds, dz]) => {
    refuseOrder(node);
    const { accuracy_level: _, ...attributes } = node.node.attributes;
    const ofA = da && g.matMulNBits(da, required(node, 1), required(node, 2), node.inputs[3], attributes);
    const stored = storedTangent(g, node, ds, dz);
    return [sum(g, [ofA, stored && withEach(g, node, stored)])];
  },
  /** Ā = ȳ W */
  transpose: (g, node, cotangents, index) => {
    if (index !== 0) return undefined;
    return unbroadcast(g, g.matMul(only(cotangents), storedMatrix(g, node)), required(node, 0).shape);
  },
};

function refuseOrder(node: NodeView): void {
  if (node.inputs[4])
    throw nodeError(
      node.node,
      "columns in another order (g_idx) are not supported; quantize without it (no GPTQ order).",
    );
}

/** W [N, K] in floats: (q − z)·s in each block. */
function storedMatrix(g: Emitter, node: NodeView): Value {
  refuseOrder(node);
  return withoutRest(g, node, g.mul(centeredBlocks(g, node), scalesOfBlocks(g, node, required(node, 2))));
}

/** dW [k, N, K] = (q − z) ds − s dz, of k tangents of the scales and of zero points that are floats. */
function storedTangent(
  g: Emitter,
  node: NodeView,
  ds: Value | undefined,
  dz: Value | undefined,
): Value | undefined {
  const ofScales = ds && g.mul(scalesOfBlocks(g, node, ds), centeredBlocks(g, node));
  const ofZeros = dz && g.neg(g.mul(scalesOfBlocks(g, node, dz), scalesOfBlocks(g, node, required(node, 2))));
  const spread = ofZeros && blocksOf(node);
  const whole = spread && ofZeros && g.expand(ofZeros, [sizeOf(ofZeros, 0), ...spread]);
  const total = sum(g, [ofScales, whole]);
  return total && withoutRest(g, node, total);
}

/** A dWᵢᵀ for each of k tangents of the matrix: [k, ..., N]. */
function withEach(g: Emitter, node: ComputedNode, matrices: Value): Value {
  const a = required(node, 0);
  const columns = sizeOf(a, -1);
  const rows = reshape(g, a, [elementCount(a.shape) / columns, columns]);
  const products = g.matMul(rows, transpose(g, matrices, [0, 2, 1]));
  return reshape(g, products, [sizeOf(matrices, 0), ...output(node).shape]);
}

/** [N, blocks, block_size] of a matrix that is stored in blocks. */
function blocksOf(node: NodeView): [rows: number, blocks: number, size: number] {
  const size = intAttribute(node.node, "block_size", 0);
  return [intAttribute(node.node, "N", 0), Math.ceil(intAttribute(node.node, "K", 0) / size), size];
}

/** q − z of each block in floats: [N, blocks, block_size]. */
function centeredBlocks(g: Emitter, node: NodeView): Value {
  const [stored, { dtype }] = [required(node, 1), required(node, 2)];
  const [rows, blocks, size] = blocksOf(node);
  const bits = intAttribute(node.node, "bits", 4);
  const numbers = unpacked(g, reshape(g, stored, [rows, elementCount(stored.shape) / rows]), bits);
  const wide = cast(g, reshape(g, numbers, [rows, blocks, size]), dtype);
  return g.sub(wide, zeroPoints(g, node, rows, blocks, bits));
}

/** Numbers for each block, or [k, ...] tangents of them, beside the blocks: [..., N, blocks, 1]. */
function scalesOfBlocks(g: Emitter, node: NodeView, value: Value): Value {
  const [rows, blocks] = blocksOf(node);
  const count = elementCount(value.shape) / (rows * blocks);
  const isTangents = value.shape.length > required(node, 2).shape.length;
  return reshape(g, value, [...(isTangents ? [count] : []), rows, blocks, 1]);
}

/** [..., N, blocks, block_size] as matrices [..., N, K], without what fills the last block. */
function withoutRest(g: Emitter, node: NodeView, blocked: Value): Value {
  const [rows, blocks, size] = blocksOf(node);
  const lead = blocked.shape.slice(0, -3);
  const whole = reshape(g, blocked, [...lead, rows, blocks * size]);
  const columns = intAttribute(node.node, "K", 0);
  return blocks * size === columns ? whole : g.slice(whole, [0], [columns], [lead.length + 1]);
}

/** Zero points [rows, blocks, 1] as floats: packed like the numbers, floats themselves, or the middle of the range. */
function zeroPoints(g: Emitter, node: NodeView, rows: number, blocks: number, bits: number): Value {
  const { dtype } = required(node, 2);
  const given = node.inputs[3];
  if (!given) return g.scalar(dtype, 2 ** (bits - 1));
  if (given.dtype !== "uint8") return cast(g, reshape(g, given, [rows, blocks, 1]), dtype);
  const packed = reshape(g, given, [rows, elementCount(given.shape) / rows]);
  const each = unpacked(g, packed, bits);
  const used = sizeOf(each, 1) === blocks ? each : g.slice(each, [0], [blocks], [1]);
  return reshape(g, cast(g, used, dtype), [rows, blocks, 1]);
}

/** Numbers of 2, 4 or 8 bits out of bytes [rows, bytes], the lowest bits first: uint8 [rows, bytes · 8/bits]. */
function unpacked(g: Emitter, bytes: Value, bits: number): Value {
  const count = 8 / bits;
  if (count === 1) return bytes;
  const [rows, width] = [sizeOf(bytes, 0), sizeOf(bytes, 1)];
  const parts = arange(count).map((index) => {
    const shifted =
      index === 0 ? bytes : g.bitShift(bytes, g.scalar("uint8", index * bits), { direction: "RIGHT" });
    return reshape(g, g.bitwiseAnd(shifted, g.scalar("uint8", 2 ** bits - 1)), [rows, width, 1]);
  });
  const [first, ...others] = parts as [Value, ...Value[]];
  return reshape(g, g.concat(first, ...others, { axis: 2 }), [rows, width * count]);
}

/** dy = rows of (q − z) ds: rows of a table that is stored in blocks of few bits. */
export const GatherBlockQuantized: Op = {
  shape: (node) => {
    const [indices, scales] = [required(node, 1), required(node, 2)];
    const shape = tableShape(node);
    const axis = normalizeAxis(intAttribute(node.node, "gather_axis", 0), shape.length, node);
    return [
      { dtype: scales.dtype, shape: [...shape.slice(0, axis), ...indices.shape, ...shape.slice(axis + 1)] },
    ];
  },
  defaults: { bits: int(4), block_size: int(128), gather_axis: int(0), quantize_axis: int(1) },
  jvp: (g, node, [, , ds]) => {
    if (!ds) return [];
    const shape = tableShape(node);
    const along = normalizeAxis(intAttribute(node.node, "quantize_axis", 1), shape.length, node);
    const size = intAttribute(node.node, "block_size", 128);
    const [bits, length] = [intAttribute(node.node, "bits", 4), shape[along] as number];
    const [data, point] = [required(node, 0), node.inputs[3]];
    const numbers = (value: Value, widths: readonly number[]) =>
      cast(g, reshape(g, value.dtype === "uint8" ? unpackedRows(g, value, bits) : value, widths), ds.dtype);
    const zero = point
      ? inBlocks(g, numbers(point, required(node, 2).shape), along, size, length)
      : g.scalar(ds.dtype, data.dtype === "uint8" ? 2 ** (bits - 1) : 0);
    const table = g.mul(inBlocks(g, ds, along + 1, size, length), g.sub(numbers(data, shape), zero));
    const axis = normalizeAxis(intAttribute(node.node, "gather_axis", 0), shape.length, node);
    return [g.gather(table, required(node, 1), { axis: axis + 1 })];
  },
};

/** The shape of the table in numbers, of which a byte holds several. */
function tableShape(node: NodeView): number[] {
  const data = required(node, 0);
  const packed = data.dtype === "uint8" ? 8 / intAttribute(node.node, "bits", 4) : 1;
  return data.shape.map((size, index) => (index === data.shape.length - 1 ? size * packed : size));
}

/** As `unpacked`, of any shape: the last axis is the rows'. */
function unpackedRows(g: Emitter, bytes: Value, bits: number): Value {
  const width = sizeOf(bytes, -1);
  return unpacked(g, reshape(g, bytes, [elementCount(bytes.shape) / width, width]), bits);
}
