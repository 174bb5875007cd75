/** Parts of a value by position: slices, splits, look-ups, triangles. */
import { int, type Value } from "../../onnx/graph.ts";
import { elementCount, int64 } from "../../onnx/tensor.ts";
import type { Emitter } from "../emitter.ts";
import { isFactored, type Op } from "../op.ts";
import { unchanged } from "../range.ts";
import { ofFirst, only, outerProduct, output, reshape, reshapeTangent, zerosLike } from "../rules.ts";
import { arange, axisOf, required, requiredConstant, sizeOf, sliceRanges } from "../shapes.ts";
import { intAttribute, type NodeView } from "../view.ts";

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
  jvp: (g, node, [dx]) => (dx ? g.split(dx, splitSizes(node), { axis: axisOf(node, 0) + 1 }) : []),
  transpose: (g, node, cotangents) => {
    const parts = cotangents.map((part, index) => part ?? zerosLike(g, node.outputs[index] as Value));
    return g.concat(...parts, { axis: axisOf(node, 0) });
  },
};

function splitSizes(node: NodeView): number[] {
  if (node.inputs[1]) return requiredConstant(node, 1, "sizes");
  const total = sizeOf(required(node, 0), axisOf(node, 0));
  const count = intAttribute(node.node, "num_outputs", node.node.outputs.length);
  const size = Math.ceil(total / count);
  return arange(count).map((index) => Math.max(0, Math.min(size, total - index * size)));
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
  jvp: ofFirst((g, node, dx) => {
    const ranges = sliceRanges(node);
    const starts = ranges.map(({ start }) => start);
    const axes = ranges.map(({ axis }) => axis + 1);
    const steps = ranges.map(({ step }) => step);
    const ends = ranges.map(({ start, step, count }) => {
      const end = start + step * count;
      // A negative end would count from the back; the smallest integer means "before the first".
      return end < 0 ? -(2 ** 31) : end;
    });
    return g.slice(dx, starts, ends, axes, steps);
  }),
  transpose: (g, node, cotangents) => {
    const { shape } = required(node, 0);
    let cotangent = only(cotangents);
    for (const { axis, start, step, count } of sliceRanges(node)) {
      const size = shape[axis] as number;
      if (count === size && step === 1) continue;
      if (step === 1) {
        const { dtype, shape: kept } = cotangent;
        const block = (length: number) =>
          length > 0 ? [zerosLike(g, { dtype, shape: kept.with(axis, length) })] : [];
        cotangent = g.concat(...block(start), cotangent, ...block(size - start - count), { axis });
      } else {
        const positions = arange(count).map((index) => start + step * index);
        cotangent = scatterAdd(g, cotangent, axis, 1, g.constant(int64(positions)), size);
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
  jvp: ofFirst((g, node, dx) => g.gather(dx, required(node, 1), { axis: axisOf(node, 0) + 1 })),
  // Rows are looked up in the left factor, so a large table is never stacked k times.
  jvpFactored: (g, node, [tangent]) => {
    if (!isFactored(tangent) || axisOf(node, 0) !== 0) return undefined;
    const indices = required(node, 1);
    const [k = 0, , r = 0] = tangent.left.shape;
    const rows = g.gather(tangent.left, indices, { axis: 1 });
    const left = reshape(g, rows, [k, elementCount(indices.shape), r]);
    return [reshapeTangent(g, outerProduct(g, left, tangent.right), output(node))];
  },
  transpose: (g, node, cotangents) => {
    const axis = axisOf(node, 0);
    const indices = required(node, 1);
    const size = sizeOf(required(node, 0), axis);
    return scatterAdd(g, only(cotangents), axis, indices.shape.length, indices, size);
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
  const spread = g.expand(reshape(g, indices, [1, count, 1]), flat);
  const zero = zerosLike(g, { dtype: cotangent.dtype, shape: flat.with(1, size) });
  // Not ScatterND: with several threads it loses updates that meet at one place.
  const sum = g.scatterElements(zero, spread, reshape(g, cotangent, flat), { axis: 1, reduction: "add" });
  return reshape(g, sum, [...before, size, ...after]);
}
