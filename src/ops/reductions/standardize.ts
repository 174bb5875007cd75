/** Values brought to mean 0 and mean square 1, and the tangents of that: what the normalizations share. */
import type { Value } from "../../onnx/graph.ts";
import { nodeError } from "../../onnx/node-error.ts";
import type { Emitter } from "../emitter.ts";
import { reshape } from "../rules.ts";
import { required } from "../shapes.ts";
import { floatAttribute, type NodeView } from "../view.ts";

/** Values scaled to a mean square of 1 over some axes. */
export interface Unit {
  /** x̂ = r x */
  readonly values: Value;
  /** r = 1/√(mean(x²) + ε), of size 1 on the axes. */
  readonly rate: Value;
}

export function toUnit(g: Emitter, x: Value, axes: readonly number[], epsilon: number): Unit {
  const power = meanOver(g, g.mul(x, x), axes);
  const rate = g.reciprocal(g.sqrt(g.add(power, epsilon)));
  return { values: g.mul(x, rate), rate };
}

/** As `toUnit`, after the mean is taken off. */
export function standardize(g: Emitter, x: Value, axes: readonly number[], epsilon: number): Unit {
  return toUnit(g, g.sub(x, meanOver(g, x, axes)), axes, epsilon);
}

/** factor (dx − x̂ m), and m = mean(x̂ dx), the projection; the factor is r, or r times what the result is scaled by. */
export function unitTangent(g: Emitter, unit: Unit, dx: Value, axes: readonly number[], factor: Value) {
  const shifted = axes.map((axis) => axis + 1);
  const projection = meanOver(g, g.mul(dx, unit.values), shifted);
  // The sign at the small factor: there the transpose has it, too.
  const across = g.add(dx, g.mul(g.neg(projection), unit.values));
  return { tangent: g.mul(across, factor), projection };
}

/** As `unitTangent`, of values whose mean was taken off; `mean` is that of dx. */
export function standardTangent(g: Emitter, unit: Unit, dx: Value, axes: readonly number[], factor: Value) {
  const shifted = axes.map((axis) => axis + 1);
  const mean = meanOver(g, dx, shifted);
  return { ...unitTangent(g, unit, g.sub(dx, mean), axes, factor), mean };
}

/** The mean over axes, those at the end first: onnxruntime takes ten times as long for [k, batch, channels, …] at once. */
function meanOver(g: Emitter, x: Value, axes: readonly number[]): Value {
  const { length: rank } = x.shape;
  const last = axes.filter((axis) => axes.filter((other) => other >= axis).length === rank - axis);
  const rest = axes.filter((axis) => !last.includes(axis));
  return [last, rest].reduce((mean, some) => (some.length > 0 ? g.reduceMean(mean, some) : mean), x);
}

/** The attribute as kernels read it: in float32. */
export function epsilonOf(node: NodeView): number {
  return Math.fround(floatAttribute(node.node, "epsilon", 1e-5));
}

/** [channels] → [channels, 1, …], to meet values [batch, channels, …] of this rank. */
export function perChannel(g: Emitter, value: Value, rank: number): Value {
  return reshape(g, value, [...value.shape, ...ones(rank - 2)]);
}

/** [k, channels] → [k, 1, channels, 1, …] */
export function channelTangent(g: Emitter, tangent: Value, rank: number): Value {
  const [k = 0, channels = 0] = tangent.shape;
  return reshape(g, tangent, [k, 1, channels, ...ones(rank - 2)]);
}

function ones(count: number): number[] {
  return Array.from({ length: Math.max(0, count) }, () => 1);
}

/** @throws when the input does not hold one number for each channel (or group). */
export function checkChannels(
  node: NodeView,
  index: number,
  name: string,
  expected: readonly number[],
): void {
  const { shape } = required(node, index);
  if (shape.length === expected.length && shape.every((size, axis) => size === expected[axis])) return;
  throw nodeError(
    node.node,
    `${name} has the shape [${shape.join(", ")}], expected [${expected.join(", ")}], one ` +
      `number for each channel of the input [${required(node, 0).shape.join(", ")}].`,
  );
}
