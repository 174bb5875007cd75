/** Look-ups and scatters of slices by index, and one-hot. */
import { formatShape, int, string, type Value } from "../../onnx/graph.ts";
import { nodeError } from "../../onnx/node-error.ts";
import { elementCount, int64 } from "../../onnx/tensor.ts";
import type { Emitter } from "../emitter.ts";
import type { Op } from "../op.ts";
import {
  cast,
  choose,
  ofFirst,
  only,
  reshape,
  tangentCount,
  tangentsFirst,
  tangentsLast,
  zerosLike,
} from "../rules.ts";
import { arange, normalizeAxis, required, requiredConstant } from "../shapes.ts";
import { intAttribute, type NodeView, stringAttribute } from "../view.ts";
import { areDistinct, integersLike, lastOnes, likeData, reductionOf } from "./updates.ts";

/** d scatter(x, i, u) = scatter(dx, i, du), for reduction none or add; as ScatterElements where indices repeat */
export const ScatterND: Op = {
  shape: likeData,
  defaults: { reduction: string("none") },
  lower: (g, node) => {
    const reduction = stringAttribute(node.node, "reduction", "none");
    if (reduction === "none") return undefined;
    return [reduceSlices(g, required(node, 0), required(node, 1), required(node, 2), reduction)];
  },
  jvp: (g, node, [data, , updates]) => {
    const k = tangentCount(data ?? updates);
    const indices = required(node, 1);
    // Indices address leading axes.
    const given = (tangent: Value | undefined, index: number) => {
      const { dtype, shape } = required(node, index);
      return tangent ? tangentsLast(g, tangent) : zerosLike(g, { dtype, shape: [...shape, k] });
    };
    const [into, added] = [given(data, 0), given(updates, 2)];
    const isSum = reductionOf(node) === "add";
    const scattered = isSum ? addSlices(g, into, indices, added) : g.scatterND(into, indices, added);
    return [tangentsFirst(g, scattered)];
  },
  transpose: (g, node, cotangents, index) => {
    const cotangent = only(cotangents);
    const indices = required(node, 1);
    if (index === 2) {
      const gathered = g.gatherND(cotangent, indices);
      if (reductionOf(node) === "add" || areDistinct(node)) return gathered;
      const isLast = lastOnes(
        g,
        node,
        (numbers) => g.scatterND(integersLike(g, cotangent), indices, numbers),
        (winners) => g.gatherND(winners, indices),
      );
      return choose(g, gathered, cast(g, isLast, cotangent.dtype));
    }
    if (index !== 0 || reductionOf(node) === "add") return index === 0 ? cotangent : undefined;
    return g.scatterND(cotangent, indices, zerosLike(g, required(node, 2)));
  },
};

/** d gatherND(x, i) = gatherND(dx, i) */
export const GatherND: Op = {
  shape: (node) => {
    const { dtype, shape } = required(node, 0);
    const indices = required(node, 1).shape;
    const batch = intAttribute(node.node, "batch_dims", 0);
    const depth = indices.at(-1) ?? 0;
    if (batch + depth > shape.length) {
      throw nodeError(
        node.node,
        `indices ${formatShape(indices)} address ${depth} axes` +
          `${batch > 0 ? ` after ${batch} batch axes` : ""}, but the data has ${shape.length}.`,
      );
    }
    return [{ dtype, shape: [...indices.slice(0, -1), ...shape.slice(batch + depth)] }];
  },
  defaults: { batch_dims: int(0) },
  jvp: ofFirst((g, node, dx) => {
    const batch_dims = intAttribute(node.node, "batch_dims", 0);
    return tangentsFirst(g, g.gatherND(tangentsLast(g, dx), required(node, 1), { batch_dims }));
  }),
  transpose: (g, node, cotangents) => {
    const indices = withBatchIndices(g, required(node, 1), intAttribute(node.node, "batch_dims", 0));
    return addSlices(g, zerosLike(g, required(node, 0)), indices, only(cotangents));
  },
};

/**
 * Data with updates added to the slices that indices [..., depth] address on its first axes. ONNX Runtime's ScatterND
 * with reduction "add" loses updates that meet at one place when it runs on several threads; ScatterElements does not.
 */
function addSlices(g: Emitter, data: Value, indices: Value, updates: Value): Value {
  return reduceSlices(g, data, indices, updates, "add");
}

/** As `addSlices`, with any reduction. */
function reduceSlices(g: Emitter, data: Value, indices: Value, updates: Value, reduction: string): Value {
  const depth = indices.shape.at(-1) ?? 0;
  const sizes = data.shape.slice(0, depth);
  const count = elementCount(indices.shape.slice(0, -1));
  const inner = elementCount(data.shape.slice(depth));
  const strides = sizes.map((_, axis) => elementCount(sizes.slice(axis + 1)));
  const rows = reshape(g, indices, [count, depth]);
  const fromStart = g.where(g.less(rows, 0), g.add(rows, sizes), rows);
  const flat = g.reduceSum(g.mul(fromStart, strides), [1], { keepdims: 1 });
  const into = reshape(g, data, [elementCount(sizes), inner]);
  const targets = g.expand(flat, [count, inner]);
  const added = reshape(g, updates, [count, inner]);
  return reshape(g, g.scatterElements(into, targets, added, { axis: 0, reduction }), data.shape);
}

/** Indices that say their own place on the batch axes too, because ScatterND has no batch axes. */
function withBatchIndices(g: Emitter, indices: Value, batch: number): Value {
  if (batch === 0) return indices;
  const sizes = indices.shape.slice(0, batch);
  const positions = arange(elementCount(sizes)).map((position) =>
    sizes.map((size, axis) => Math.floor(position / elementCount(sizes.slice(axis + 1))) % size),
  );
  const ones = indices.shape.slice(batch, -1).map(() => 1);
  const grid = g.constant(int64(positions.flat(), [...sizes, ...ones, batch]));
  const spread = g.expand(grid, [...indices.shape.slice(0, -1), batch]);
  return g.concat(spread, indices, { axis: indices.shape.length - 1 });
}

/** d onehot(i, [off, on]) = [doff, don] chosen by place */
export const OneHot: Op = {
  shape: (node) => {
    const { shape } = required(node, 0);
    const axis = hotAxis(node);
    const [depth = 0] = requiredConstant(node, 1, "depth");
    return [{ dtype: required(node, 2).dtype, shape: shape.toSpliced(axis, 0, depth) }];
  },
  defaults: { axis: int(-1) },
  jvp: (g, node, [, , tangent]) => {
    const depth = g.scalar("int64", requiredConstant(node, 1, "depth")[0] ?? 0);
    const indices = cast(g, required(node, 0), "int64");
    const isOn = g.oneHot(indices, depth, [0, 1], { axis: hotAxis(node) });
    return [tangent && g.gather(tangent, isOn, { axis: 1 })];
  },
};

function hotAxis(node: NodeView): number {
  const rank = required(node, 0).shape.length + 1;
  return normalizeAxis(intAttribute(node.node, "axis", -1), rank, node);
}
