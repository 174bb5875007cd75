/** What ops of attention are made of: heads, scores of queries and keys, and the values that they mix. */
import type { Value } from "../../onnx/graph.ts";
import { type Tensor, tensorOf } from "../../onnx/tensor.ts";
import type { Emitter } from "../emitter.ts";
import { reshape, transpose } from "../rules.ts";
import { arange, sizeOf } from "../shapes.ts";

/** [batch, length, heads · size] → [batch, heads, length, size] */
export function splitHeads(g: Emitter, value: Value, heads: number): Value {
  const [batch = 0, length = 0, width = 0] = value.shape;
  return transpose(g, reshape(g, value, [batch, length, heads, width / heads]), [0, 2, 1, 3]);
}

/** The way back from `splitHeads`. */
export function joinHeads(g: Emitter, value: Value): Value {
  const [batch = 0, heads = 0, length = 0, size = 0] = value.shape;
  return reshape(g, transpose(g, value, [0, 2, 1, 3]), [batch, length, heads * size]);
}

/**
 * softmax(hide(scale · Q Kᵀ)) V for each head: Q [batch, heads, queries, size], K [batch, shared, keys, size] and
 * V [batch, shared, keys, valueSize]; heads / shared query heads in a row share one head of K and V.
 *
 * @param hide caps, adds to and hides scores [batch, heads, queries, keys]
 * @returns [batch, heads, queries, valueSize]
 */
export function attend(
  g: Emitter,
  q: Value,
  k: Value,
  v: Value,
  scale: number,
  hide: (scores: Value) => Value,
): Value {
  const [batch = 0, heads = 0, queries = 0, size = 0] = q.shape;
  const [shared, keys] = [sizeOf(k, 1), sizeOf(k, 2)];
  // Query heads that share a head of K and V are rows of one product.
  const rows = (heads / shared) * queries;
  const scaled = reshape(g, g.mul(q, scale), [batch, shared, rows, size]);
  const products = g.matMul(scaled, transpose(g, k, [0, 1, 3, 2]));
  const scores = hide(reshape(g, products, [batch, heads, queries, keys]));
  const probabilities = reshape(g, g.softmax(scores, { axis: -1 }), [batch, shared, rows, keys]);
  return reshape(g, g.matMul(probabilities, v), [batch, heads, queries, sizeOf(v, -1)]);
}

/** cap · tanh(scores / cap); as they are for 0 */
export function capped(g: Emitter, scores: Value, softcap: number): Value {
  const cap = Math.fround(softcap);
  return cap === 0 ? scores : g.mul(g.tanh(g.mul(scores, 1 / cap)), cap);
}

/**
 * Which keys each query sees: those that do not come after it.
 *
 * @param window of how many positions, the query's included; default: all
 */
export function causalMask(queries: number, keys: number, window = Number.POSITIVE_INFINITY): Tensor {
  const isSeen = arange(queries * keys).map((index) => {
    const distance = Math.floor(index / keys) - (index % keys);
    return distance >= 0 && distance < window ? 1 : 0;
  });
  return tensorOf("bool", isSeen, [queries, keys]);
}
