/** Estimates of a gradient of two numbers, from the same k tangents. */
import { aggregators, fold, keyFromSeed } from "forwardgrad";
import { threefry2x32 } from "forwardgrad/autodiff";

/** A vector of the plane. */
export type Pair = readonly [number, number];

/** How a gradient comes about: exactly, or by an aggregator of the library. */
export const methods = ["exact", "projection", "mean", "sum", "max"] as const;
/** Name of one of them. */
export type MethodName = (typeof methods)[number];

const rules = {
  projection: aggregators.projection(),
  mean: aggregators.mean(),
  sum: aggregators.sum(),
  max: aggregators.max(),
};

/** k tangents of a step: two normal numbers each, by Box and Muller's formula from two uniform words. */
export function drawTangents(seed: number, step: number, k: number): Pair[] {
  const key = fold(keyFromSeed(seed), step);
  return Array.from({ length: k }, (_, index) => {
    const [first, second] = threefry2x32(key, index, 0);
    const radius = Math.sqrt(-2 * Math.log((first + 0.5) / 2 ** 32));
    const turn = (2 * Math.PI * second) / 2 ** 32;
    return [radius * Math.cos(turn), radius * Math.sin(turn)] as const;
  });
}

/** a·b */
export const dot = (a: Pair, b: Pair): number => a[0] * b[0] + a[1] * b[1];

/** The angle between two vectors, in degrees. */
export const degrees = (a: Pair, b: Pair): number =>
  (Math.acos(Math.min(1, Math.max(-1, dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b))))) * 180) / Math.PI;

/** ĝ = Σ cᵢ vᵢ with c = a(d, G), dᵢ = ∇f·vᵢ, Gᵢⱼ = vᵢ·vⱼ */
export function estimate(method: MethodName, tangents: readonly Pair[], gradient: Pair): Pair {
  if (method === "exact") return gradient;
  const derivatives = Float64Array.from(tangents, (tangent) => dot(tangent, gradient));
  const gram = Float64Array.from(tangents.flatMap((a) => tangents.map((b) => dot(a, b))));
  const coefficients = new Float64Array(tangents.length);
  rules[method].aggregate(derivatives, gram, coefficients, { dimension: 2 });
  const along = (axis: 0 | 1) =>
    tangents.reduce((sum, tangent, index) => sum + (coefficients[index] ?? 0) * tangent[axis], 0);
  return [along(0), along(1)];
}
