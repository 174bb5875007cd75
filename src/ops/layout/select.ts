import { int, type Value } from "../../onnx/graph.ts";
import { elementCount, int64 } from "../../onnx/tensor.ts";
import { type ComputedNode, type Emitter, intAttribute, isFactored, type NodeView, type Op } from "../op.ts";
import { unchanged } from "../range.ts";
import { only, outerProduct, output, reshape, transpose, zerosLike } from "../rules.ts";
import { axisOf, required, requiredConstant, sameShape, sliceRanges } from "../shapes.ts";

/** d split(x) = split(dx) */
export const Split: Op = {
  range: unchanged,
  shape: (node) => {
    const { dtype, shape } = required(node, 0);
    const axis = axisOf(node, 0);
    return splitSizes(node).map((size) => ({ dtype, shape: shape.with(axis, size) }));
  },
  defaults: { axis: int(0) },
  // Before opset 18 an even split needed no attribute.
  upgrade: (node, opset) =>
    opset >= 18 || node.inputs[1]
      ? node
      : { ...node, attributes: { ...node.attributes, num_outputs: int(node.outputs.length) } },
  jvp: (g, node, [tangent]) =>
    g.node(
      "Split",
      [tangent, splitSizes(node)],
      { axis: axisOf(node, 0) + 1 },
      { outputs: node.outputs.length },
    ),
  transpose: (g, node, cotangents) => {
    const parts = cotangents.map((part, index) => part ?? zerosLike(g, node.outputs[index] as Value));
    return g.emit("Concat", parts, { axis: axisOf(node, 0) });
  },
};

function splitSizes(node: NodeView): number[] {
  if (node.inputs[1]) return requiredConstant(node, 1, "sizes");
  const total = required(node, 0).shape[axisOf(node, 0)] as number;
  const count = intAttribute(node.node, "num_outputs", node.node.outputs.length);
  const size = Math.ceil(total / count);
  return Array.from({ length: count }, (_, index) => Math.max(0, Math.min(size, total - index * size)));
}

/** d slice(x) = slice(dx) */
export const Slice: Op = {
  range: unchanged,
  shape: (node) => {
    const { dtype, shape } = required(node, 0);
    const result = [...shape];
    for (const range of sliceRanges(node)) result[range.axis] = range.count;
    return [{ dtype, shape: result }];
  },
  jvp: (g, node, [tangent]) => {
    const ranges = sliceRanges(node);
    const ends = ranges.map(({ start, step, count }) => {
      const end = start + step * count;
      // A negative end would count from the back; the smallest integer means "before the first".
      return end < 0 ? -(2 ** 31) : end;
    });
    return [
      g.emit("Slice", [
        tangent,
        ranges.map((range) => range.start),
        ends,
        ranges.map((range) => range.axis + 1),
        ranges.map((range) => range.step),
      ]),
    ];
  },
  transpose: (g, node, cotangents) => {
    const { shape } = required(node, 0);
    let cotangent = only(cotangents);
    for (const { axis, start, step, count } of sliceRanges(node)) {
      const size = shape[axis] as number;
      if (count === size && step === 1) continue;
      if (step === 1) {
        const block = (length: number) =>
          length > 0
            ? [zerosLike(g, { dtype: cotangent.dtype, shape: cotangent.shape.with(axis, length) })]
            : [];
        cotangent = g.emit("Concat", [...block(start), cotangent, ...block(size - start - count)], { axis });
      } else {
        const places = Array.from({ length: count }, (_, place) => start + step * place);
        cotangent = scatterAdd(g, cotangent, axis, 1, g.constant(int64(places)), size);
      }
    }
    return cotangent;
  },
};

/** d gather(x, i) = gather(dx, i) */
export const Gather: Op = {
  range: unchanged,
  shape: (node) => {
    const { dtype, shape } = required(node, 0);
    const axis = axisOf(node, 0);
    return [
      { dtype, shape: [...shape.slice(0, axis), ...required(node, 1).shape, ...shape.slice(axis + 1)] },
    ];
  },
  defaults: { axis: int(0) },
  jvp: (g, node, [tangent]) => [g.emit("Gather", [tangent, node.inputs[1]], { axis: axisOf(node, 0) + 1 })],
  // Rows are looked up in the left factor, so a large table is never stacked k times.
  jvpFactored: (g, node, [tangent]) => {
    if (!isFactored(tangent) || axisOf(node, 0) !== 0) return undefined;
    const { shape } = required(node, 1);
    const [k = 0, , r = 0] = tangent.left.shape;
    const rows = reshape(g, g.emit("Gather", [tangent.left, node.inputs[1]], { axis: 1 }), [
      k,
      elementCount(shape),
      r,
    ]);
    return [reshape(g, outerProduct(g, rows, tangent.right), [k, ...output(node).shape])];
  },
  transpose: (g, node, cotangents) => {
    const axis = axisOf(node, 0);
    const indices = required(node, 1);
    return scatterAdd(
      g,
      only(cotangents),
      axis,
      indices.shape.length,
      indices,
      required(node, 0).shape[axis] as number,
    );
  },
};

/**
 * The transpose of looking up `indices` along an axis: cotangent slices with the same index add up.
 *
 * @param rank number of the cotangent's axes, from `axis` on, that the indices span
 * @param size length of the axis in the result
 */
function scatterAdd(
  g: Emitter,
  cotangent: Value,
  axis: number,
  rank: number,
  indices: Value,
  size: number,
): Value {
  const before = cotangent.shape.slice(0, axis);
  const after = cotangent.shape.slice(axis + rank);
  const count = elementCount(indices.shape);
  const flat = [elementCount(before), count, elementCount(after)];
  if (elementCount(flat) === 0)
    return zerosLike(g, { dtype: cotangent.dtype, shape: [...before, size, ...after] });
  const places = g.emit("Expand", [reshape(g, indices, [1, count, 1]), flat]);
  const data = zerosLike(g, { dtype: cotangent.dtype, shape: flat.with(1, size) });
  // Not ScatterND: with several threads it loses updates that meet at one place.
  const sum = g.emit("ScatterElements", [data, places, reshape(g, cotangent, flat)], {
    axis: 1,
    reduction: "add",
  });
  return reshape(g, sum, [...before, size, ...after]);
}

/** d compress(x, c) = compress(dx, c), for a constant c */
export const Compress: Op = {
  shape: (node) => {
    const { dtype, shape } = required(node, 0);
    const count = keptPlaces(node).length;
    return [{ dtype, shape: isFlat(node) ? [count] : shape.with(axisOf(node, 0), count) }];
  },
  jvp: (g, node, [tangent]) => {
    if (!tangent) return [undefined];
    const places = g.constant(int64(keptPlaces(node)));
    const count = elementCount(required(node, 0).shape);
    const source = isFlat(node) ? reshape(g, tangent, [tangent.shape[0] as number, count]) : tangent;
    return [g.emit("Gather", [source, places], { axis: isFlat(node) ? 1 : axisOf(node, 0) + 1 })];
  },
};

function isFlat(node: NodeView): boolean {
  return node.node.attributes.axis === undefined;
}

function keptPlaces(node: NodeView): number[] {
  const kept = requiredConstant(node, 1, "condition");
  return kept.flatMap((isKept, place) => (isKept ? [place] : []));
}

/** d trilu(x) = trilu(dx) */
export const Trilu: Op = {
  shape: sameShape,
  defaults: { upper: int(1) },
  jvp: (g, node, [tangent]) => [triangle(g, node, tangent)],
  transpose: (g, node, cotangents) => triangle(g, node, only(cotangents)),
};

function triangle(g: Emitter, node: ComputedNode, value: Value | undefined): Value | undefined {
  return value && g.emit("Trilu", [value, node.inputs[1]], { upper: intAttribute(node.node, "upper", 1) });
}

/** d reverse(x) = reverse(dx); to reverse is its own inverse and transpose */
export const ReverseSequence: Op = {
  shape: sameShape,
  defaults: { batch_axis: int(1), time_axis: int(0) },
  jvp: (g, node, [tangent]) => {
    if (!tangent) return [undefined];
    // The op's two axes must come first, so the tangents' axis moves to the end and back.
    const last = required(node, 0).shape.length;
    const places = Array.from({ length: last }, (_, axis) => axis);
    const moved = transpose(g, tangent, [...places.map((axis) => axis + 1), 0]);
    return [transpose(g, reverseSequence(g, node, moved), [last, ...places])];
  },
  transpose: (g, node, cotangents) => reverseSequence(g, node, only(cotangents)),
};

function reverseSequence(g: Emitter, node: ComputedNode, value: Value): Value {
  return g.emit("ReverseSequence", [value, node.inputs[1]], {
    batch_axis: intAttribute(node.node, "batch_axis", 1),
    time_axis: intAttribute(node.node, "time_axis", 0),
  });
}
