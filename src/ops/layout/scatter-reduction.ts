/** Derivatives of scattering with a reduction that is not linear: max, min, mul. As PyTorch's scatter_reduce has them. */
import type { Value } from "../../onnx/graph.ts";
import type { Emitter } from "../emitter.ts";
import type { StackedTangent } from "../op.ts";
import { cast, output, repeatIndices, tangentCount, zerosLike } from "../rules.ts";
import { axisOf, required } from "../shapes.ts";
import type { ComputedNode } from "../view.ts";

/** How a change of each number that meets at a place changes the result there. */
interface Factors {
  readonly data: Value;
  readonly updates: Value;
}

/** dy = f ⊙ dx + Σ over the updates u of a place of g ⊙ du */
export function reducedTangent(
  g: Emitter,
  node: ComputedNode,
  reduction: "max" | "min" | "mul",
  [data, , updates]: readonly (StackedTangent | undefined)[],
): StackedTangent | undefined {
  const axis = axisOf(node, 0);
  const k = tangentCount(data ?? updates);
  const factors = reduction === "mul" ? productFactors(g, node, axis) : extremeFactors(g, node, axis);
  const own = data && g.mul(factors.data, data);
  if (!updates) return own;
  const { dtype, shape } = output(node);
  const into = own ?? zerosLike(g, { dtype, shape: [k, ...shape] });
  const indices = repeatIndices(g, required(node, 1), k);
  const added = g.mul(factors.updates, updates);
  return g.scatterElements(into, indices, added, { axis: axis + 1, reduction: "add" });
}

/** 1 for what is the largest (smallest), shared equally where several are. */
function extremeFactors(g: Emitter, node: ComputedNode, axis: number): Factors {
  const [x, indices, u, y] = [required(node, 0), required(node, 1), required(node, 2), output(node)];
  const lookUp = (value: Value) => g.gatherElements(value, indices, { axis });
  const isData = cast(g, g.equal(x, y), y.dtype);
  const isUpdate = cast(g, g.equal(u, lookUp(y)), y.dtype);
  const count = g.scatterElements(isData, indices, isUpdate, { axis, reduction: "add" });
  return { data: g.div(isData, count), updates: g.div(isUpdate, lookUp(count)) };
}

/** The product of all others: y/u, or where numbers are 0 the product of those that are not. */
function productFactors(g: Emitter, node: ComputedNode, axis: number): Factors {
  const [x, indices, u] = [required(node, 0), required(node, 1), required(node, 2)];
  const lookUp = (value: Value) => g.gatherElements(value, indices, { axis });
  const scatter = (data: Value, updates: Value, reduction: string) =>
    g.scatterElements(data, indices, updates, { axis, reduction });
  const ones = g.add(zerosLike(g, x), 1);
  const isZero = g.equal(u, 0);
  const safe = g.where(isZero, 1, u);
  const zeroCount = lookUp(scatter(zerosLike(g, x), cast(g, isZero, u.dtype), "add"));
  const product = lookUp(scatter(x, safe, "mul"));
  const isOnlyZero = g.and(isZero, g.equal(zeroCount, 1));
  const others = g.where(g.equal(zeroCount, 0), g.div(product, safe), g.where(isOnlyZero, product, 0));
  return { data: scatter(ones, u, "mul"), updates: others };
}
