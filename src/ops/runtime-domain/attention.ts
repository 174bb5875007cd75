/** Attention with the projections, masks, positions and caches that ONNX Runtime's optimizer and exporters fuse into it. */
import type { Node, Value } from "../../onnx/graph.ts";
import { nodeError } from "../../onnx/node-error.ts";
import { int64, tensorOf } from "../../onnx/tensor.ts";
import type { Emitter } from "../emitter.ts";
import type { Op } from "../op.ts";
import { attend, capped, causalMask, joinHeads, splitHeads } from "../products/heads.ts";
import { reshape } from "../rules.ts";
import { arange, required, sizeOf } from "../shapes.ts";
import { floatAttribute, intAttribute, intsAttribute, type NodeView, type ValueType } from "../view.ts";
import { rotated } from "./rotation.ts";

/**
 * Self-attention of [batch, length, width]: x W + b are Q, K and V side by side; masks are those of the runtime. A second
 * result holds K and V [2, batch, heads, length, size].
 */
export const Attention: Op = {
  shape: (node) => {
    const { dtype, shape } = required(node, 0);
    const [batch = 0, length = 0] = shape;
    const heads = headsOf(node);
    const [, size, valueWidth] = widthsOf(node);
    const caches = [2, batch, heads, length, (size ?? 0) / heads];
    return [
      { dtype, shape: [batch, length, valueWidth ?? 0] },
      { dtype, shape: caches },
    ];
  },
  lower: (g, node) => {
    refuseCache(node, [4]);
    if (intAttribute(node.node, "do_rotary", 0) !== 0)
      throw nodeError(node.node, "do_rotary is not supported; export positions as RotaryEmbedding.");
    const product = g.matMul(required(node, 0), required(node, 1));
    const biased = node.inputs[2] ? g.add(product, node.inputs[2]) : product;
    const parts = g.split(biased, widthsOf(node), { axis: -1 });
    const [q, k, v] = parts.map((part) => splitHeads(g, part, headsOf(node))) as [Value, Value, Value];
    const stack = (value: Value) => reshape(g, value, [1, ...value.shape]);
    const result = mixed(g, node, q, k, v, { mask: node.inputs[3], bias: node.inputs[5] });
    return [result, node.node.outputs[1] ? g.concat(stack(k), stack(v), { axis: 0 }) : undefined];
  },
};

/** Widths of Q, K and V side by side. */
function widthsOf(node: NodeView): readonly number[] {
  const third = sizeOf(required(node, 1), 1) / 3;
  return intsAttribute(node.node, "qkv_hidden_sizes") ?? [third, third, third];
}

/**
 * Attention of Q [batch, queries, width] to K and V, the same or already in heads; a bias is that of all three side by
 * side. Further results are K and V in heads.
 */
export const MultiHeadAttention: Op = {
  shape: (node) => {
    const { dtype, shape } = required(node, 0);
    const [batch = 0, queries = 0] = shape;
    const heads = headsOf(node);
    const [k, v] = [1, 2].map((index) => node.inputs[index] ?? required(node, 0));
    const cacheOf = (value: Value | undefined) => {
      const given = value?.shape ?? [];
      return given.length === 4 ? given : [batch, heads, given[1] ?? 0, (given[2] ?? 0) / heads];
    };
    const values = cacheOf(v);
    return [
      { dtype, shape: [batch, queries, heads * (values[3] ?? 0)] },
      { dtype, shape: cacheOf(k) },
      { dtype, shape: values },
    ];
  },
  lower: (g, node) => {
    refuseCache(node, [6, 7, 9]);
    const given = [0, 1, 2].map((index) => node.inputs[index]);
    if (given.some((value) => !value || value.shape.length > 4)) {
      throw nodeError(
        node.node,
        "Q, K and V packed into one input are not supported; export the model with an input for each of them.",
      );
    }
    if (node.node.outputs[3])
      throw nodeError(node.node, "its output of scores is not supported; export the model without it.");
    const heads = headsOf(node);
    const widths = given.map((value) =>
      value?.shape.length === 4
        ? heads * sizeOf(value, -1)
        : sizeOf(required({ ...node, inputs: [value] }, 0), -1),
    );
    const biases = node.inputs[3] ? g.split(node.inputs[3], widths, { axis: 0 }) : [];
    const [q, k, v] = given.map((value, index) => {
      const [x, bias] = [value as Value, biases[index]];
      if (x.shape.length === 4) return x;
      return splitHeads(g, bias ? g.add(x, bias) : x, heads);
    }) as [Value, Value, Value];
    return [mixed(g, node, q, k, v, { mask: node.inputs[4], bias: node.inputs[5] }), k, v];
  },
};

/**
 * Causal attention in which several heads of Q share one of K and V, with positions as rotations. What is cached is
 * empty: all tokens are read at once. Further results are K, rotated, and V in heads.
 */
export const GroupQueryAttention: Op = {
  shape: (node) => {
    const { dtype, shape } = required(node, 0);
    const [batch = 0, length = 0] = shape;
    const { heads, shared, size } = groupsOf(node);
    const cache: ValueType = { dtype, shape: [batch, shared, length, size] };
    return [{ dtype, shape: [batch, length, heads * size] }, cache, cache];
  },
  lower: (g, node) => {
    refuseCache(node, [3, 4]);
    refuseUnknown(node);
    const { heads, shared, size } = groupsOf(node);
    const query = required(node, 0);
    const parts = node.inputs[1]
      ? [query, required(node, 1), required(node, 2)]
      : g.split(query, [heads * size, shared * size, shared * size], { axis: -1 });
    const [q, k, v] = parts.map((part, index) => splitHeads(g, part, index === 0 ? heads : shared)) as [
      V,
      V,
      V,
    ];
    const length = sizeOf(q, 2);
    const positions = node.inputs[9] ?? g.constant(int64(arange(length), [1, length]));
    const turn = (value: Value) => {
      if (intAttribute(node.node, "do_rotary", 0) === 0) return value;
      const interleaved = intAttribute(node.node, "rotary_interleaved", 0) === 1;
      return rotated(g, value, positions, required(node, 7), required(node, 8), interleaved);
    };
    const [turned, keys] = [turn(q), turn(k)];
    const window = intAttribute(node.node, "local_window_size", -1);
    const seen = g.constant(causalMask(length, length, window > 0 ? window : undefined));
    const bias = node.inputs[10];
    const result = attend(g, turned, keys, v, scaleOf(node, size), (products) => {
      const scores = capped(g, products, floatAttribute(node.node, "softcap", 0));
      return g.where(seen, bias ? g.add(scores, bias) : scores, Number.NEGATIVE_INFINITY);
    });
    return [joinHeads(g, result), keys, v];
  },
};

type V = Value;

function groupsOf(node: NodeView) {
  const [heads, shared] = [headsOf(node), intAttribute(node.node, "kv_num_heads", 0)];
  const width = sizeOf(required(node, 0), -1);
  return { heads, shared, size: width / (node.inputs[1] ? heads : heads + 2 * shared) };
}

function refuseUnknown({ node }: NodeView): void {
  const isSet = (name: string) => {
    const attribute = node.attributes[name];
    return attribute?.type === "string" ? attribute.value !== "NONE" : intAttribute(node, name, 0) > 0;
  };
  const found = ["smooth_softmax", "k_quant_type", "v_quant_type", "qk_output"].find(isSet);
  const input = [...node.inputs.entries()].find(([index, name]) => index > 10 && name !== "");
  const what = found ?? (input ? `input ${input[0]} ('${input[1]}')` : node.outputs[3] && "output_qk");
  if (what)
    throw nodeError(
      node,
      `${what} is not supported; export the model without attention sinks and quantized caches.`,
    );
}

function headsOf({ node }: NodeView): number {
  const heads = intAttribute(node, "num_heads", 0);
  if (heads > 0) return heads;
  throw nodeError(node, `num_heads is ${heads}, expected a number from 1.`);
}

function scaleOf({ node }: NodeView, size: number): number {
  return Math.fround(floatAttribute(node, "scale", 0)) || 1 / Math.sqrt(size);
}

/** Keys and values of earlier tokens may be inputs of the node, but must be empty. */
function refuseCache(node: NodeView, indices: readonly number[]): void {
  for (const index of indices) {
    const cache = node.inputs[index];
    if (!cache || cache.shape.includes(0)) continue;
    throw nodeError(
      node.node,
      `its input '${cache.name}' [${cache.shape.join(", ")}] holds the keys and values of earlier tokens, which are not ` +
        "trained through. Give that length the size 0, so that all tokens are read at once, or export the model without a cache.",
    );
  }
}

/** Masks of a node: what hides keys, and what is added to the scores. */
interface Hiding {
  readonly mask: Value | undefined;
  readonly bias: Value | undefined;
}

/** Attention of heads under the runtime's masks, joined: [batch, queries, heads · size]. */
function mixed(g: Emitter, node: NodeView, q: Value, k: Value, v: Value, { mask, bias }: Hiding): Value {
  const [queries, keys] = [sizeOf(q, 2), sizeOf(k, 2)];
  const isCausal = intAttribute(node.node, "unidirectional", 0) === 1;
  const seen = isCausal ? g.constant(causalMask(queries, keys)) : undefined;
  const hidden = mask && hiddenKeys(g, node, mask, q, keys);
  const result = attend(g, q, k, v, scaleOf(node, sizeOf(q, 3)), (products) => {
    const scores = [hidden, bias].reduce<Value>((sum, term) => (term ? g.add(sum, term) : sum), products);
    return seen ? g.where(seen, scores, Number.NEGATIVE_INFINITY) : scores;
  });
  return joinHeads(g, result);
}

/**
 * What the runtime adds to the scores of keys that a mask hides, [batch, 1, 1 or queries, keys]. Masks are 0 and 1 for each
 * key [batch, keys], or for each query [batch, queries, keys]; or the number of keys that are shown in each example
 * [batch], perhaps followed by the first one that is [2 · batch].
 */
function hiddenKeys(g: Emitter, node: NodeView, mask: Value, q: Value, keys: number): Value {
  const [batch = 0, , queries = 0] = q.shape;
  const { shape } = mask;
  const shown = () => {
    if (shape.length === 2 || shape.length === 3)
      return reshape(g, g.greater(mask, 0), [sizeOf(mask, 0), 1, shape.length === 3 ? queries : 1, keys]);
    const isPair = shape[0] === 2 * batch;
    if (shape.length !== 1 || (shape[0] !== batch && !isPair)) throw unknownMask(node.node, mask);
    const [ends, starts] = isPair ? g.split(mask, [batch, batch], { axis: 0 }) : [mask];
    const positions = g.constant(tensorOf("int32", arange(keys), [keys]));
    const column = (value: Value) => reshape(g, value, [batch, 1, 1, 1]);
    const before = g.less(positions, column(ends as Value));
    return starts ? g.and(before, g.greaterOrEqual(positions, column(starts))) : before;
  };
  const filter = Math.fround(floatAttribute(node.node, "mask_filter_value", -10000));
  return g.where(shown(), g.scalar(q.dtype, 0), g.scalar(q.dtype, filter));
}

function unknownMask(node: Node, mask: Value): Error {
  return nodeError(
    node,
    `its mask '${mask.name}' has the shape [${mask.shape.join(", ")}], expected [batch, keys], [batch, queries, keys], ` +
      "[batch] or [2 · batch]; export the model with a mask of tokens.",
  );
}
