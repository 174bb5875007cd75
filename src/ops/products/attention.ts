/** Attention of queries to keys, as products and a softmax. */
import { ModelError } from "../../errors/errors.ts";
import { describeNode, float, formatShape, int, nodeName, type Value } from "../../onnx/graph.ts";
import { nodeError } from "../../onnx/node-error.ts";
import { elementCount, toNumbers } from "../../onnx/tensor.ts";
import type { Emitter } from "../emitter.ts";
import type { Op } from "../op.ts";
import { cast } from "../rules.ts";
import { arange, broadcastShapes, required, sizeOf } from "../shapes.ts";
import { floatAttribute, intAttribute, type NodeView } from "../view.ts";
import { attend, capped, causalMask, joinHeads, splitHeads } from "./heads.ts";

/**
 * softmax(cap(scale · Q Kᵀ) + bias) V for each head: Q [batch, heads, queries, size], or [batch, queries, heads · size]
 * with the numbers of heads as attributes. Several query heads in a row may share one head of K and V (grouped-query
 * attention). The bias comes from `attn_mask` (added; or truth values, false hides) and `is_causal` (query i sees keys
 * j ≤ i); a query that sees no key gives 0. cap(x) = softcap · tanh(x/softcap). Everything has the type of Q:
 * `softmax_precision` is ignored.
 */
export const Attention: Op = {
  shape: (node) => {
    const { batch, heads, queries, valueSize, isFlat } = sizesOf(node);
    const { dtype } = required(node, 0);
    return [
      { dtype, shape: isFlat ? [batch, queries, heads * valueSize] : [batch, heads, queries, valueSize] },
    ];
  },
  defaults: {
    is_causal: int(0),
    q_num_heads: int(0),
    kv_num_heads: int(0),
    scale: float(0),
    softcap: float(0),
    softmax_precision: int(0),
    qk_matmul_output_mode: int(0),
  },
  lower: (g, node) => {
    refuseCaches(node);
    const { heads, shared, queries, keys, size, isFlat } = sizesOf(node);
    const split = (value: Value, count: number) => (isFlat ? splitHeads(g, value, count) : value);
    const [q, k, v] = [
      split(required(node, 0), heads),
      split(required(node, 1), shared),
      split(required(node, 2), shared),
    ];
    const scale = Math.fround(floatAttribute(node.node, "scale", 0)) || 1 / Math.sqrt(size);
    const mask = emitMask(g, node, queries, keys);
    const perHead = attend(g, q, k, v, scale, (products) => {
      const scores = capped(g, products, floatAttribute(node.node, "softcap", 0));
      return mask ? mask.apply(scores) : scores;
    });
    const result = mask?.sees ? g.where(mask.sees, perHead, 0) : perHead;
    return [isFlat ? joinHeads(g, result) : result];
  },
};

interface Mask {
  /** Hides keys: scores [batch, heads, queries, keys] → the same. */
  readonly apply: (scores: Value) => Value;
  /** Which queries see any key, [..., queries, 1]; absent: all do. */
  readonly sees?: Value;
}

const hidden = Number.NEGATIVE_INFINITY;

function emitMask(g: Emitter, node: NodeView, queries: number, keys: number): Mask | undefined {
  const mask = node.inputs[3];
  const isCausal = intAttribute(node.node, "is_causal", 0) === 1;
  const causal = isCausal ? g.constant(causalMask(queries, keys)) : undefined;
  if (!mask) return causal && { apply: (scores) => g.where(causal, scores, hidden) };
  checkMask(node, mask, queries, keys);
  const isTruth = mask.dtype === "bool";
  const given = isTruth ? mask : g.greater(mask, hidden);
  const allowed = causal ? g.and(given, causal) : given;
  // Truth values of the mask alone choose, never sums with −∞: those would leave derivatives undefined.
  const masked = (scores: Value) => (isTruth ? scores : g.add(scores, g.where(allowed, mask, 0)));
  if (showsEachQueryAKey(node, isCausal))
    return { apply: (scores) => g.where(allowed, masked(scores), hidden) };
  const sees = g.greater(g.reduceMax(cast(g, allowed, "float32"), [-1]), 0);
  const { dtype } = required(node, 0);
  const beyond = g.where(sees, g.scalar(dtype, hidden), g.scalar(dtype, 0));
  return { apply: (scores) => g.where(allowed, masked(scores), beyond), sees };
}

/** Whether it is known before running that each query sees a key; under a causal mask only the first counts. */
function showsEachQueryAKey(node: NodeView, isCausal: boolean): boolean {
  const mask = node.constant(3);
  if (!mask) return false;
  const keys = sizeOf(mask, -1);
  const isSeen = toNumbers(mask).map((value) => (mask.dtype === "bool" ? value !== 0 : value > hidden));
  const starts = arange(isSeen.length / keys).map((row) => row * keys);
  return starts.every((start) =>
    isCausal ? isSeen[start] : isSeen.slice(start, start + keys).includes(true),
  );
}

function checkMask(node: NodeView, mask: Value, queries: number, keys: number): void {
  const { batch, heads } = sizesOf(node);
  const whole = [batch, heads, queries, keys];
  const fits = mask.shape.at(-1) === keys && mask.shape.length <= 4;
  const together = fits ? broadcastShapes([mask.shape, whole], describeNode(node.node)) : [];
  if (fits && elementCount(together) === elementCount(whole)) return;
  throw nodeError(
    node.node,
    `attn_mask has the shape ${formatShape(mask.shape)}, expected one that broadcasts to ` +
      `${formatShape(whole)} with all ${keys} keys on its last axis.`,
  );
}

function refuseCaches(node: NodeView): void {
  const { inputs, outputs } = node.node;
  const names = ["past_key", "past_value", "nonpad_kv_seqlen"].filter((_, index) => inputs[index + 4]);
  const results = ["present_key", "present_value", "qk_matmul_output"].filter(
    (_, index) => outputs[index + 1],
  );
  if (names.length + results.length === 0) return;
  throw new ModelError(
    `${describeNode(node.node)} uses ${[...names, ...results].join(", ")}, which serve decoding token by token; ` +
      "export the model without a key-value cache.",
    { node: nodeName(node.node) },
  );
}

function sizesOf(node: NodeView) {
  const [q, k, v] = [required(node, 0), required(node, 1), required(node, 2)];
  const isFlat = q.shape.length === 3;
  const [batch = 0] = q.shape;
  const heads = isFlat ? intAttribute(node.node, "q_num_heads", 0) : (q.shape[1] as number);
  const shared = isFlat ? intAttribute(node.node, "kv_num_heads", 0) : (k.shape[1] as number);
  const queries = q.shape[isFlat ? 1 : 2] as number;
  const keys = k.shape[isFlat ? 1 : 2] as number;
  const width = (value: Value, count: number) => (value.shape.at(-1) as number) / (isFlat ? count : 1);
  const [size, keySize, valueSize] = [width(q, heads), width(k, shared), width(v, shared)];
  const ranks = new Set([q.shape.length, k.shape.length, v.shape.length]);
  const whole = [heads / shared, size, valueSize].every(Number.isInteger);
  if (ranks.size > 1 || ![3, 4].includes(q.shape.length) || !whole || size !== keySize) {
    throw nodeError(
      node.node,
      `Q ${formatShape(q.shape)}, K ${formatShape(k.shape)} and V ${formatShape(v.shape)} with ` +
        `${heads} query heads and ${shared} key heads do not fit; expected [batch, heads, length, size] or [batch, length, ` +
        "heads · size] with q_num_heads and kv_num_heads, equal sizes of Q and K, and query heads a multiple of key heads.",
    );
  }
  return { batch, heads, shared, queries, keys, size, valueSize, isFlat };
}
