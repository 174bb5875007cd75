/** Derivatives of scattering with a reduction that is not linear: max, min, mul. As PyTorch's scatter_reduce has them. */
import type { Value } from "../../onnx/graph.ts";
import type { ComputedNode, Emitter, StackedTangent } from "../op.ts";
import { cast, output, repeatIndices, zerosLike } from "../rules.ts";
import { axisOf, required } from "../shapes.ts";

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
): StackedTangent {
  const axis = axisOf(node, 0);
  const k = (data ?? updates)?.shape[0] as number;
  const factors = reduction === "mul" ? productFactors(g, node, axis) : extremeFactors(g, node, axis);
  const own = data && g.emit("Mul", [factors.data, data]);
  if (!updates) return own as StackedTangent;
  const { dtype, shape } = output(node);
  const into = own ?? zerosLike(g, { dtype, shape: [k, ...shape] });
  const indices = repeatIndices(g, required(node, 1), k);
  const added = g.emit("Mul", [factors.updates, updates]);
  return g.emit("ScatterElements", [into, indices, added], { axis: axis + 1, reduction: "add" });
}

/** 1 for what is the largest (smallest), shared equally where several are. */
function extremeFactors(g: Emitter, node: ComputedNode, axis: number): Factors {
  const [x, indices, u, y] = [required(node, 0), required(node, 1), required(node, 2), output(node)];
  const isData = cast(g, g.emit("Equal", [x, y]), y.dtype);
  const isUpdate = cast(g, g.emit("Equal", [u, lookedUp(g, y, indices, axis)]), y.dtype);
  const count = scattered(g, isData, indices, isUpdate, axis, "add");
  return {
    data: g.emit("Div", [isData, count]),
    updates: g.emit("Div", [isUpdate, lookedUp(g, count, indices, axis)]),
  };
}

/** The product of all others: y/u, or where numbers are 0 the product of those that are not. */
function productFactors(g: Emitter, node: ComputedNode, axis: number): Factors {
  const [x, indices, u] = [required(node, 0), required(node, 1), required(node, 2)];
  const ones = g.emit("Add", [zerosLike(g, x), 1]);
  const isZero = g.emit("Equal", [u, 0]);
  const safe = g.emit("Where", [isZero, 1, u]);
  const zeros = scattered(g, zerosLike(g, x), indices, cast(g, isZero, u.dtype), axis, "add");
  const count = lookedUp(g, zeros, indices, axis);
  const product = lookedUp(g, scattered(g, x, indices, safe, axis, "mul"), indices, axis);
  const isOnlyZero = g.emit("And", [isZero, g.emit("Equal", [count, 1])]);
  const others = g.emit("Where", [
    g.emit("Equal", [count, 0]),
    g.emit("Div", [product, safe]),
    g.emit("Where", [isOnlyZero, product, 0]),
  ]);
  return { data: scattered(g, ones, indices, u, axis, "mul"), updates: others };
}

function scattered(
  g: Emitter,
  data: Value,
  indices: Value,
  updates: Value,
  axis: number,
  reduction: string,
): Value {
  return g.emit("ScatterElements", [data, indices, updates], { axis, reduction });
}

function lookedUp(g: Emitter, value: Value, indices: Value, axis: number): Value {
  return g.emit("GatherElements", [value, indices], { axis });
}
