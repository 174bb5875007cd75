/** Look-ups and scatters by index, element by element. */
import { int, string, type Value } from "../../onnx/graph.ts";
import type { Op } from "../op.ts";
import { unchanged } from "../range.ts";
import {
  cast,
  choose,
  gatherElements,
  ofFirst,
  only,
  repeatIndices,
  tangentCount,
  zerosLike,
} from "../rules.ts";
import { axisOf, required } from "../shapes.ts";
import type { ComputedNode } from "../view.ts";
import { reducedTangent } from "./scatter-reduction.ts";
import { areDistinct, integersLike, lastOnes, likeData, reductionOf } from "./updates.ts";

/** d gather(x, i) = gather(dx, i) along an axis, element by element */
export const GatherElements: Op = {
  range: unchanged,
  shape: (node) => [{ dtype: required(node, 0).dtype, shape: required(node, 1).shape }],
  defaults: { axis: int(0) },
  jvp: ofFirst((g, node, dx) => gatherElements(g, dx, required(node, 1), axisOf(node, 0))),
  transpose: (g, node, cotangents) => {
    const zero = zerosLike(g, required(node, 0));
    const attributes = { axis: axisOf(node, 0), reduction: "add" };
    return g.scatterElements(zero, required(node, 1), only(cotangents), attributes);
  },
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
    const k = tangentCount(data ?? updates);
    const given = (tangent: Value | undefined, index: number) => {
      const { dtype, shape } = required(node, index);
      return tangent ?? zerosLike(g, { dtype, shape: [k, ...shape] });
    };
    const indices = repeatIndices(g, required(node, 1), k);
    const attributes = { axis: axisOf(node, 0) + 1, reduction: reductionOf(node) };
    return [g.scatterElements(given(data, 0), indices, given(updates, 2), attributes)];
  },
  transpose: (g, node, cotangents, index) => {
    const cotangent = only(cotangents);
    const indices = required(node, 1);
    const axis = axisOf(node, 0);
    if (index === 2) {
      const gathered = g.gatherElements(cotangent, indices, { axis });
      if (reductionOf(node) === "add" || areDistinct(node, axis)) return gathered;
      const isLast = lastOnes(
        g,
        node,
        (numbers) => g.scatterElements(integersLike(g, cotangent), indices, numbers, { axis }),
        (winners) => g.gatherElements(winners, indices, { axis }),
      );
      return choose(g, gathered, cast(g, isLast, cotangent.dtype));
    }
    if (index !== 0 || reductionOf(node) === "add") return index === 0 ? cotangent : undefined;
    return g.scatterElements(cotangent, indices, zerosLike(g, required(node, 2)), { axis });
  },
};

/** A reduction with a derivative of its own; those of ScatterND are lowered. */
function nonlinearReduction(node: ComputedNode): "max" | "min" | "mul" | undefined {
  const reduction = reductionOf(node);
  return reduction === "max" || reduction === "min" || reduction === "mul" ? reduction : undefined;
}
