/** Values at other sizes, by looking up or mixing neighbours. */
import { type Attributes, float, formatShape, int, string, type Value } from "../../onnx/graph.ts";
import { nodeError, unsupportedNode } from "../../onnx/node-error.ts";
import { elementCount, float32, int64 } from "../../onnx/tensor.ts";
import type { Emitter } from "../emitter.ts";
import type { Op } from "../op.ts";
import { broadcastTangent, cast, ofFirst, only, output, reshape, tangentCount } from "../rules.ts";
import { arange, normalizeAxis, required, requiredConstant } from "../shapes.ts";
import { type ComputedNode, intsAttribute, type NodeView, stringAttribute } from "../view.ts";

/** How one axis is resized. */
interface AxisResize {
  readonly input: number;
  readonly output: number;
  /** Undefined where sizes are given. */
  readonly scale: number | undefined;
  /** The part of the axis that mode tf_crop_and_resize takes, from 0 to 1. */
  readonly crop: readonly [start: number, end: number];
}

/** d resize(x) = resize(dx) */
export const Resize: Op = {
  shape: (node) => [{ dtype: required(node, 0).dtype, shape: axisResizes(node).map((each) => each.output) }],
  defaults: {
    antialias: int(0),
    cubic_coeff_a: float(-0.75),
    exclude_outside: int(0),
    extrapolation_value: float(0),
    mode: string("nearest"),
  },
  jvp: ofFirst((g, node, dx) => {
    const k = tangentCount(dx);
    const tangent = broadcastTangent(g, dx, required(node, 0));
    const resizes = axisResizes(node);
    const [first, ...rest] = resizes;
    // The k tangents join the batch axis; where that axis is resized, they get two axes of their own, because the
    // kernels for images expect two in front.
    const folded = first && isKept(first) ? [kept(k * first.input), ...rest] : [kept(k), kept(1), ...resizes];
    const sizes = folded.map((each) => each.input);
    const result = resized(g, node, reshape(g, tangent, sizes), folded);
    return reshape(g, result, [k, ...output(node).shape]);
  }),
  // Resizing works on each axis alone; resizing the unit vectors of an axis gives its matrix.
  transpose: (g, node, cotangents) =>
    axisResizes(node).reduce((cotangent, each, axis) => {
      if (isKept(each)) return cotangent;
      const size = each.input;
      const unitVectors = reshape(g, identityMatrix(g, cotangent, size), [1, 1, size, size]);
      const matrix = resized(g, node, unitVectors, [kept(1), kept(1), kept(size), each]);
      return axisProduct(g, reshape(g, matrix, [size, each.output]), cotangent, axis);
    }, only(cotangents)),
};

function isKept({ input, output, scale, crop: [start, end] }: AxisResize): boolean {
  return input === output && (scale ?? 1) === 1 && start === 0 && end === 1;
}

/** An axis that stays as it is, in either way of giving the sizes. */
function kept(size: number): AxisResize {
  return { input: size, output: size, scale: 1, crop: [0, 1] };
}

/** The node's resizing of a value with these axes; positions outside of a crop become 0, their derivative. */
function resized(g: Emitter, node: ComputedNode, value: Value, axes: readonly AxisResize[]): Value {
  const { axes: _, keep_aspect_ratio_policy: __, ...attributes }: Attributes = node.node.attributes;
  const isCrop =
    stringAttribute(node.node, "coordinate_transformation_mode", "half_pixel") === "tf_crop_and_resize";
  const crop = [...axes.map(({ crop: [start] }) => start), ...axes.map(({ crop: [, end] }) => end)];
  const scales = axes.flatMap(({ scale }) => (scale === undefined ? [] : [scale]));
  const bySize = scales.length < axes.length;
  return g.resize(
    value,
    isCrop ? g.constant(float32(crop)) : undefined,
    bySize ? undefined : g.constant(float32(scales)),
    bySize ? axes.map((each) => each.output) : undefined,
    { ...attributes, extrapolation_value: float(0) },
  );
}

function axisResizes(node: NodeView): AxisResize[] {
  const { shape } = required(node, 0);
  const axes = (intsAttribute(node.node, "axes") ?? shape.map((_, axis) => axis)).map((axis) =>
    normalizeAxis(axis, shape.length, node),
  );
  const policy = stringAttribute(node.node, "keep_aspect_ratio_policy", "stretch");
  if (policy !== "stretch") {
    throw unsupportedNode(
      node.node,
      `keep_aspect_ratio_policy '${policy}' is not supported; export the sizes that it gives ` +
        "for the input's size.",
    );
  }
  const scales = listed(node, 2, "scales", axes.length);
  const sizes = listed(node, 3, "sizes", axes.length);
  const crop = listed(node, 1, "roi", 2 * axes.length);
  if ((scales === undefined) === (sizes === undefined)) {
    throw nodeError(
      node.node,
      `expected either scales (input 2) or sizes (input 3) for the axes ${formatShape(axes)} of ` +
        `${formatShape(shape)}, received ${scales ? "both" : "neither"}.`,
    );
  }
  const isCrop =
    stringAttribute(node.node, "coordinate_transformation_mode", "half_pixel") === "tf_crop_and_resize";
  return shape.map((input, axis) => {
    const index = axes.indexOf(axis);
    if (index < 0) return { ...kept(input), scale: scales ? 1 : undefined };
    const scale = scales?.[index];
    // As the runtime computes it, in float32.
    const output = sizes?.[index] ?? Math.floor(Math.fround(Math.fround(scale ?? 1) * input));
    const [start, end] = [crop?.[index] ?? 0, crop?.[index + axes.length] ?? 1];
    return { input, output, scale, crop: isCrop ? [start, end] : [0, 1] };
  });
}

/** A constant input with this many numbers; undefined where it is omitted or empty. */
function listed(node: NodeView, index: number, what: string, count: number): number[] | undefined {
  const input = node.inputs[index];
  if (!input || elementCount(input.shape) === 0) return undefined;
  const values = requiredConstant(node, index, what);
  if (values.length === count) return values;
  throw nodeError(node.node, `its ${what} (input ${index}) are ${values.length} numbers, expected ${count}.`);
}

/** An identity matrix, made when the graph runs. */
function identityMatrix(g: Emitter, like: Value, size: number): Value {
  const row = arange(size);
  const column = g.constant(int64(row, [size, 1]));
  return cast(g, g.equal(column, row), like.dtype);
}

/** Σₒ matrix[i, o] value[…, o, …] along an axis. */
function axisProduct(g: Emitter, matrix: Value, value: Value, axis: number): Value {
  const [rows = 0, columns = 0] = matrix.shape;
  const { shape } = value;
  const [before, after] = [elementCount(shape.slice(0, axis)), elementCount(shape.slice(axis + 1))];
  const product = g.matMul(matrix, reshape(g, value, [before, columns, after]));
  return reshape(g, product, shape.with(axis, rows));
}
