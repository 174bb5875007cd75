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
  ofFirst,
  only,
  output,
  reshape,
  sum,
  tangentCount,
  unbroadcast,
  zero,
} from "../rules.ts";
import { arange, normalizeAxis, required, sizeOf } from "../shapes.ts";
import { intAttribute, type NodeView } from "../view.ts";
import { Conv } from "./conv.ts";
import { MatMul } from "./matmul.ts";

const ranges: Partial<Record<DType, readonly [low: number, high: number]>> = {
  uint8: [0, 255],
  int8: [-128, 127],
  uint16: [0, 65535],
  int16: [-32768, 32767],
};

/** dq = dx/s where x/s + z lies in the range of the type, 0 beyond */
export const QuantizeLinear: Op = {
  shape: (node) => {
    const dtype = dtypeFromNumber(intAttribute(node.node, "output_dtype", 0));
    return [{ dtype: node.inputs[2]?.dtype ?? dtype ?? "uint8", shape: required(node, 0).shape }];
  },
  defaults: { axis: int(1), block_size: int(0), output_dtype: int(0), precision: int(0), saturate: int(1) },
  jvp: ofFirst((g, node, tangent) => {
    const x = required(node, 0);
    const scale = alongAxis(g, node, required(node, 1));
    const zero = node.inputs[2] && cast(g, alongAxis(g, node, node.inputs[2]), x.dtype);
    const scaled = g.div(x, scale);
    const moved = zero ? g.add(scaled, zero) : scaled;
    const [low, high] = ranges[output(node).dtype] ?? [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
    const isInside = g.and(g.greaterOrEqual(moved, low - 0.5), g.lessOrEqual(moved, high + 0.5));
    return g.mul(tangent, g.where(isInside, g.reciprocal(scale), 0));
  }),
};

/** dx = s dq, for activations; stored numbers have no tangents */
export const DequantizeLinear: Op = {
  shape: (node) => [{ dtype: required(node, 1).dtype, shape: required(node, 0).shape }],
  defaults: { axis: int(1), block_size: int(0), output_dtype: int(0) },
  jvp: ofFirst((g, node, tangent) => g.mul(tangent, alongAxis(g, node, required(node, 1)))),
};

/** dq = dx/s: s and the zero point, which follow the range of x, are held */
export const DynamicQuantizeLinear: Op = {
  shape: (node) => {
    const { dtype, shape } = required(node, 0);
    return [
      { dtype: "uint8", shape },
      { dtype, shape: [] },
      { dtype: "uint8", shape: [] },
    ];
  },
  jvp: (g, node, [tangent]) => [tangent && g.div(tangent, node.outputs[1] as Value), undefined, undefined],
};

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

/** d conv(x − z, W − w) = conv(dx, W − w), of the numbers before rounding */
export const ConvInteger: Op = {
  shape: (node) => Conv.shape(bare(node)).map(({ shape }) => ({ dtype: "int32", shape })),
  jvp: ofFirst((g, node, tangent) => {
    const { shape } = required(node, 0);
    const [k, weight] = [tangentCount(tangent), required(node, 1)];
    const wide = cast(g, weight, "float32");
    const point = node.inputs[3] && cast(g, node.inputs[3], "float32");
    // One for all, or one for each kernel.
    const isOne = !point || elementCount(point.shape) === 1;
    const zero =
      point && reshape(g, point, isOne ? [] : [sizeOf(point, 0), ...weight.shape.slice(1).map(() => 1)]);
    const kernel = zero ? g.sub(wide, zero) : wide;
    const batch = reshape(g, tangent, [k * (shape[0] ?? 0), ...shape.slice(1)]);
    return reshape(g, g.conv(batch, kernel, undefined, node.node.attributes), [k, ...output(node).shape]);
  }),
};

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

/** A scale or zero point for each slice along the node's axis, or for all, in a shape that broadcasts to the node's input. */
function alongAxis(g: Emitter, node: NodeView, value: Value): Value {
  const { shape } = required(node, 0);
  if (value.shape.length === 0 || elementCount(value.shape) === 1) return reshape(g, value, []);
  if (value.shape.length > 1) {
    throw nodeError(
      node.node,
      "activations quantized in blocks have no derivative rule; quantize them per tensor or per axis, or weights alone.",
    );
  }
  const axis = normalizeAxis(intAttribute(node.node, "axis", 1), shape.length, node);
  return reshape(
    g,
    value,
    shape.map((size, index) => (index === axis ? size : 1)),
  );
}

/**
 * dy = dA Wᵀ by the same kernel, the tangents as further rows; W [N, K] is stored in blocks of few bits, each with a scale
 * and perhaps a zero point. `accuracy_level` rounds activations, never tangents.
 */
export const MatMulNBits: Op = {
  shape: (node) => {
    const { dtype, shape } = required(node, 0);
    return [{ dtype, shape: [...shape.slice(0, -1), intAttribute(node.node, "N", 0)] }];
  },
  defaults: { K: int(0), N: int(0), accuracy_level: int(0), bits: int(4), block_size: int(0) },
  jvp: ofFirst((g, node, tangent) => {
    refuseOrder(node);
    const { accuracy_level: _, ...attributes } = node.node.attributes;
    return g.matMulNBits(tangent, required(node, 1), required(node, 2), node.inputs[3], attributes);
  }),
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
  const [stored, scales] = [required(node, 1), required(node, 2)];
  const [columns, rows] = [intAttribute(node.node, "K", 0), intAttribute(node.node, "N", 0)];
  const [bits, size] = [intAttribute(node.node, "bits", 4), intAttribute(node.node, "block_size", 0)];
  const blocks = Math.ceil(columns / size);
  const numbers = reshape(
    g,
    unpacked(g, reshape(g, stored, [rows, elementCount(stored.shape) / rows]), bits),
    [rows, blocks, size],
  );
  const scale = reshape(g, scales, [rows, blocks, 1]);
  const centeredNumbers = g.sub(cast(g, numbers, scales.dtype), zeroPoints(g, node, rows, blocks, bits));
  const whole = reshape(g, g.mul(centeredNumbers, scale), [rows, blocks * size]);
  return blocks * size === columns ? whole : g.slice(whole, [0], [columns], [1]);
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

/** Rows of a table that is stored in blocks of few bits. */
export const GatherBlockQuantized: Op = {
  ...zero((node) => {
    const [data, indices, scales] = [required(node, 0), required(node, 1), required(node, 2)];
    const axis = normalizeAxis(intAttribute(node.node, "gather_axis", 0), data.shape.length, node);
    const packed = data.dtype === "uint8" ? 8 / intAttribute(node.node, "bits", 4) : 1;
    const shape = data.shape.map((size, index) => (index === data.shape.length - 1 ? size * packed : size));
    return [
      { dtype: scales.dtype, shape: [...shape.slice(0, axis), ...indices.shape, ...shape.slice(axis + 1)] },
    ];
  }),
  defaults: { bits: int(4), block_size: int(128), gather_axis: int(0), quantize_axis: int(1) },
};
