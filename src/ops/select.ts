import { describeNode, formatShape, int, type Value } from "../onnx/graph.ts";
import { elementCount, int64 } from "../onnx/tensor.ts";
import { type ComputedNode, type Emitter, intAttribute, isFactored, type NodeView, type Op } from "./op.ts";
import { only, outerProduct, output, reshape, transpose, zerosLike } from "./rules.ts";
import { axisOf, normalizeAxis, required, requiredConstant } from "./shapes.ts";

/** d split(x) = split(dx) */
export const Split: Op = {
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

interface Range {
  readonly axis: number;
  readonly start: number;
  readonly step: number;
  readonly count: number;
}

/** d slice(x) = slice(dx) */
export const Slice: Op = {
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

function sliceRanges(node: NodeView): Range[] {
  const { shape } = required(node, 0);
  const starts = requiredConstant(node, 1, "starts");
  const ends = requiredConstant(node, 2, "ends");
  const axes = node.inputs[3] ? requiredConstant(node, 3, "axes") : starts.map((_, index) => index);
  const steps = node.inputs[4] ? requiredConstant(node, 4, "steps") : starts.map(() => 1);
  return axes.map((listed, index) => {
    const axis = normalizeAxis(listed, shape.length, node);
    const size = shape[axis] as number;
    const step = steps[index] ?? 1;
    const clamp = (place: number, low: number, high: number) => Math.min(Math.max(place, low), high);
    const absolute = (place: number) => (place < 0 ? place + size : place);
    const start = clamp(absolute(starts[index] ?? 0), 0, step > 0 ? size : size - 1);
    const end = clamp(absolute(ends[index] ?? size), step > 0 ? 0 : -1, size);
    return { axis, start, step, count: Math.max(0, Math.ceil((end - start) / step)) };
  });
}

/** d gather(x, i) = gather(dx, i) */
export const Gather: Op = {
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
  const flat = reshape(g, cotangent, [elementCount(before), count, elementCount(after)]);
  const updates = transpose(g, flat, [1, 0, 2]);
  const data = zerosLike(g, {
    dtype: cotangent.dtype,
    shape: [size, elementCount(before), elementCount(after)],
  });
  const wide = indices.dtype === "int64" ? indices : g.emit("Cast", [indices], { to: 7 });
  const sum = g.emit("ScatterND", [data, reshape(g, wide, [count, 1]), updates], { reduction: "add" });
  return reshape(g, transpose(g, sum, [1, 0, 2]), [...before, size, ...after]);
}

/** d scatter(x, i, u) = scatter(dx, i, du), for reduction none or add */
export const ScatterND: Op = {
  shape: (node) => {
    const { dtype, shape } = required(node, 0);
    return [{ dtype, shape }];
  },
  jvp: (g, node, [data, , updates]) => {
    const tangent = (given: Value | undefined, index: number, k: number) => {
      const { dtype, shape } = required(node, index);
      const last = (value: Value) => transpose(g, value, [...shape.map((_, axis) => axis + 1), 0]);
      return given ? last(given) : zerosLike(g, { dtype, shape: [...shape, k] });
    };
    const k = (data ?? updates)?.shape[0] as number;
    // Indices address leading axes, so the tangents' axis moves to the end and back.
    const scattered = g.emit(
      "ScatterND",
      [tangent(data, 0, k), node.inputs[1], tangent(updates, 2, k)],
      reductionOf(node) === "add" ? { reduction: "add" } : {},
    );
    const rank = scattered.shape.length;
    return [transpose(g, scattered, [rank - 1, ...Array.from({ length: rank - 1 }, (_, axis) => axis)])];
  },
  transpose: (g, node, cotangents, index) => {
    const cotangent = only(cotangents);
    const indices = required(node, 1);
    if (index === 2) return g.emit("GatherND", [cotangent, indices]);
    if (index !== 0 || reductionOf(node) === "add") return index === 0 ? cotangent : undefined;
    const erased = zerosLike(g, required(node, 2));
    return g.emit("ScatterND", [cotangent, indices, erased]);
  },
};

function reductionOf(node: ComputedNode): string {
  const attribute = node.node.attributes.reduction;
  const reduction = attribute?.type === "string" ? attribute.value : "none";
  if (reduction !== "none" && reduction !== "add") {
    throw new Error(
      `${describeNode(node.node)}: reduction '${reduction}' has no derivative rule; use none or add.`,
    );
  }
  return reduction;
}

/** d gatherND(x, i) = gatherND(dx, i) */
export const GatherND: Op = {
  shape: (node) => {
    const { dtype, shape } = required(node, 0);
    const indices = required(node, 1).shape;
    const depth = indices.at(-1) ?? 0;
    if (depth > shape.length) {
      throw new Error(
        `${describeNode(node.node)}: indices ${formatShape(indices)} address ${depth} axes, but the data has ` +
          `${shape.length}.`,
      );
    }
    return [{ dtype, shape: [...indices.slice(0, -1), ...shape.slice(depth)] }];
  },
  jvp: (g, node, [tangent]) => {
    if (!tangent) return [undefined];
    const rank = tangent.shape.length;
    const last = transpose(g, tangent, [...Array.from({ length: rank - 1 }, (_, axis) => axis + 1), 0]);
    const gathered = g.emit("GatherND", [last, node.inputs[1]]);
    const axes = gathered.shape.length;
    return [transpose(g, gathered, [axes - 1, ...Array.from({ length: axes - 1 }, (_, axis) => axis)])];
  },
  transpose: (g, node, cotangents) =>
    g.emit("ScatterND", [zerosLike(g, required(node, 0)), node.inputs[1], only(cotangents)], {
      reduction: "add",
    }),
};
