import { describeNode, formatShape, int, string, type Value } from "../../onnx/graph.ts";
import { elementCount, int64, toNumbers } from "../../onnx/tensor.ts";
import {
  type ComputedNode,
  type Emitter,
  intAttribute,
  type NodeView,
  type Op,
  stringAttribute,
} from "../op.ts";
import { unchanged } from "../range.ts";
import {
  cast,
  choose,
  gatherElements,
  only,
  repeatIndices,
  reshape,
  transpose,
  zerosLike,
} from "../rules.ts";
import { axisOf, normalizeAxis, required, requiredConstant } from "../shapes.ts";
import { reducedTangent } from "./scatter-reduction.ts";

/** d gather(x, i) = gather(dx, i) along an axis, element by element */
export const GatherElements: Op = {
  range: unchanged,
  shape: (node) => [{ dtype: required(node, 0).dtype, shape: required(node, 1).shape }],
  defaults: { axis: int(0) },
  jvp: (g, node, [tangent]) => [tangent && gatherElements(g, tangent, required(node, 1), axisOf(node, 0))],
  transpose: (g, node, cotangents) =>
    g.emit("ScatterElements", [zerosLike(g, required(node, 0)), node.inputs[1], only(cotangents)], {
      axis: axisOf(node, 0),
      reduction: "add",
    }),
};

/**
 * d scatter(x, i, u) = scatter(dx, i, du), for reduction none or add. Of updates that meet at one place the last one stays,
 * and has all of the derivative. max, min and mul: `reducedTangent`
 */
export const ScatterElements: Op = {
  shape: likeData,
  defaults: { axis: int(0), reduction: string("none") },
  jvp: (g, node, tangents) => {
    const nonlinear = nonlinearReduction(node);
    if (nonlinear) return [reducedTangent(g, node, nonlinear, tangents)];
    const [data, , updates] = tangents;
    const k = (data ?? updates)?.shape[0] as number;
    const given = (tangent: Value | undefined, index: number) => {
      const { dtype, shape } = required(node, index);
      return tangent ?? zerosLike(g, { dtype, shape: [k, ...shape] });
    };
    const indices = repeatIndices(g, required(node, 1), k);
    return [
      g.emit("ScatterElements", [given(data, 0), indices, given(updates, 2)], {
        axis: axisOf(node, 0) + 1,
        reduction: reductionOf(node),
      }),
    ];
  },
  transpose: (g, node, cotangents, index) => {
    const cotangent = only(cotangents);
    const indices = required(node, 1);
    const axis = axisOf(node, 0);
    if (index === 2) {
      const gathered = g.emit("GatherElements", [cotangent, indices], { axis });
      if (reductionOf(node) === "add" || areDistinct(node, axis)) return gathered;
      const isLast = lastOnes(g, node, (places) => [
        g.emit("ScatterElements", [integersLike(g, cotangent), indices, places], { axis }),
        (winners) => g.emit("GatherElements", [winners, indices], { axis }),
      ]);
      return choose(g, gathered, cast(g, isLast, cotangent.dtype));
    }
    if (index !== 0 || reductionOf(node) === "add") return index === 0 ? cotangent : undefined;
    return g.emit("ScatterElements", [cotangent, indices, zerosLike(g, required(node, 2))], { axis });
  },
};

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
    const tangent = (given: Value | undefined, index: number, k: number) => {
      const { dtype, shape } = required(node, index);
      const last = (value: Value) => transpose(g, value, [...shape.map((_, axis) => axis + 1), 0]);
      return given ? last(given) : zerosLike(g, { dtype, shape: [...shape, k] });
    };
    const k = (data ?? updates)?.shape[0] as number;
    // Indices address leading axes, so the tangents' axis moves to the end and back.
    const [into, added] = [tangent(data, 0, k), tangent(updates, 2, k)];
    const scattered =
      reductionOf(node) === "add"
        ? addSlices(g, into, required(node, 1), added)
        : g.emit("ScatterND", [into, node.inputs[1], added]);
    const rank = scattered.shape.length;
    return [transpose(g, scattered, [rank - 1, ...Array.from({ length: rank - 1 }, (_, axis) => axis)])];
  },
  transpose: (g, node, cotangents, index) => {
    const cotangent = only(cotangents);
    const indices = required(node, 1);
    if (index === 2) {
      const gathered = g.emit("GatherND", [cotangent, indices]);
      if (reductionOf(node) === "add" || areDistinct(node)) return gathered;
      const isLast = lastOnes(g, node, (places) => [
        g.emit("ScatterND", [integersLike(g, cotangent), indices, places]),
        (winners) => g.emit("GatherND", [winners, indices]),
      ]);
      return choose(g, gathered, cast(g, isLast, cotangent.dtype));
    }
    if (index !== 0 || reductionOf(node) === "add") return index === 0 ? cotangent : undefined;
    const erased = zerosLike(g, required(node, 2));
    return g.emit("ScatterND", [cotangent, indices, erased]);
  },
};

/**
 * Which updates of a scatter are not overwritten by a later one: their places are scattered in their stead and looked up
 * again.
 *
 * @param scatter the scattered places, and how to look up at the indices
 */
function lastOnes(
  g: Emitter,
  node: ComputedNode,
  scatter: (places: Value) => [winners: Value, lookUp: (winners: Value) => Value],
): Value {
  const { shape } = required(node, 2);
  const count = elementCount(shape);
  const places = g.constant(
    int64(
      Array.from({ length: count }, (_, place) => place),
      shape,
    ),
  );
  const [winners, lookUp] = scatter(places);
  return g.emit("Equal", [lookUp(winners), places]);
}

function integersLike(g: Emitter, { shape }: Value): Value {
  return zerosLike(g, { dtype: "int64", shape });
}

/** Whether it is known before running that no two updates of a scatter meet; `axis` is that of ScatterElements. */
function areDistinct(node: NodeView, axis?: number): boolean {
  const indices = node.constant(1);
  if (!indices) return false;
  const { shape } = required(node, 0);
  const numbers = toNumbers(indices);
  const wrap = (index: number, along: number) => (index < 0 ? index + (shape[along] as number) : index);
  const targets =
    axis === undefined
      ? Array.from({ length: numbers.length / Math.max(1, indices.shape.at(-1) ?? 1) }, (_, row) => {
          const depth = indices.shape.at(-1) ?? 0;
          return numbers
            .slice(row * depth, (row + 1) * depth)
            .map(wrap)
            .join();
        })
      : numbers.map((index, place) => {
          const after = elementCount(indices.shape.slice(axis + 1));
          const along = indices.shape[axis] as number;
          return `${Math.floor(place / (after * along))},${wrap(index, axis)},${place % after}`;
        });
  return new Set(targets).size === targets.length;
}

/** Shape rule: the output is like the data, which the updates do not change. */
function likeData(node: NodeView) {
  const { dtype, shape } = required(node, 0);
  return [{ dtype, shape }];
}

function reductionOf(node: ComputedNode): string {
  return stringAttribute(node.node, "reduction", "none");
}

/** A reduction with a derivative of its own; those of ScatterND are lowered. */
function nonlinearReduction(node: ComputedNode): "max" | "min" | "mul" | undefined {
  const reduction = reductionOf(node);
  return reduction === "max" || reduction === "min" || reduction === "mul" ? reduction : undefined;
}

/** d gatherND(x, i) = gatherND(dx, i) */
export const GatherND: Op = {
  shape: (node) => {
    const { dtype, shape } = required(node, 0);
    const indices = required(node, 1).shape;
    const batch = intAttribute(node.node, "batch_dims", 0);
    const depth = indices.at(-1) ?? 0;
    if (batch + depth > shape.length) {
      throw new Error(
        `${describeNode(node.node)}: indices ${formatShape(indices)} address ${depth} axes` +
          `${batch > 0 ? ` after ${batch} batch axes` : ""}, but the data has ${shape.length}.`,
      );
    }
    return [{ dtype, shape: [...indices.slice(0, -1), ...shape.slice(batch + depth)] }];
  },
  defaults: { batch_dims: int(0) },
  jvp: (g, node, [tangent]) => {
    if (!tangent) return [undefined];
    const rank = tangent.shape.length;
    const last = transpose(g, tangent, [...Array.from({ length: rank - 1 }, (_, axis) => axis + 1), 0]);
    const gathered = g.emit("GatherND", [last, node.inputs[1]], {
      batch_dims: intAttribute(node.node, "batch_dims", 0),
    });
    const axes = gathered.shape.length;
    return [transpose(g, gathered, [axes - 1, ...Array.from({ length: axes - 1 }, (_, axis) => axis)])];
  },
  transpose: (g, node, cotangents) => {
    const indices = withBatchPlaces(g, required(node, 1), intAttribute(node.node, "batch_dims", 0));
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
  const fromStart = g.emit("Where", [
    g.emit("Less", [rows, g.scalar("int64", 0)]),
    g.emit("Add", [rows, sizes]),
    rows,
  ]);
  const flat = g.emit("ReduceSum", [g.emit("Mul", [fromStart, strides]), [1]], { keepdims: 1 });
  const reduced = g.emit(
    "ScatterElements",
    [
      reshape(g, data, [elementCount(sizes), inner]),
      g.emit("Expand", [flat, [count, inner]]),
      reshape(g, updates, [count, inner]),
    ],
    { axis: 0, reduction },
  );
  return reshape(g, reduced, data.shape);
}

/** Indices that say their own place on the batch axes too, because ScatterND has no batch axes. */
function withBatchPlaces(g: Emitter, indices: Value, batch: number): Value {
  if (batch === 0) return indices;
  const sizes = indices.shape.slice(0, batch);
  const places = Array.from({ length: elementCount(sizes) }, (_, place) =>
    sizes.map((size, axis) => Math.floor(place / elementCount(sizes.slice(axis + 1))) % size),
  );
  const ones = indices.shape.slice(batch, -1).map(() => 1);
  const grid = g.constant(int64(places.flat(), [...sizes, ...ones, batch]));
  const spread = g.emit("Expand", [grid, [...indices.shape.slice(0, -1), batch]]);
  return g.emit("Concat", [spread, indices], { axis: indices.shape.length - 1 });
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
    const isOn = g.emit("OneHot", [indices, depth, [0, 1]], { axis: hotAxis(node) });
    return [tangent && g.emit("Gather", [tangent, isOn], { axis: 1 })];
  },
};

function hotAxis(node: NodeView): number {
  const rank = required(node, 0).shape.length + 1;
  return normalizeAxis(intAttribute(node.node, "axis", -1), rank, node);
}
