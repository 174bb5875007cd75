/** Normalizations with the sums and lookups before them. */
import type { Value } from "../../onnx/graph.ts";
import { nodeError } from "../../onnx/node-error.ts";
import { zeros } from "../../onnx/tensor.ts";
import type { Emitter } from "../emitter.ts";
import type { Op } from "../op.ts";
import { cast } from "../rules.ts";
import { required } from "../shapes.ts";
import { floatAttribute, type NodeView, type ValueType } from "../view.ts";

/** layerNorm(x + skip + bias) γ + β; the sum is a second result. */
export const SkipLayerNormalization: Op = {
  shape: skipShape,
  lower: (g, node) => {
    const total = skipSum(g, node, node.inputs[4]);
    return skipResults(
      node,
      total,
      g.layerNormalization(total, required(node, 2), node.inputs[3], normalized(node)),
    );
  },
};

/** rmsNorm(x + skip + bias) γ; the sum is a second result. */
export const SkipSimplifiedLayerNormalization: Op = {
  shape: skipShape,
  lower: (g, node) => {
    const total = skipSum(g, node, node.inputs[3]);
    return skipResults(node, total, g.rmsNormalization(total, required(node, 2), normalized(node)));
  },
};

const normalized = (node: NodeView) => ({ axis: -1, epsilon: floatAttribute(node.node, "epsilon", 1e-12) });

function skipSum(g: Emitter, node: NodeView, bias: Value | undefined): Value {
  const sum = g.add(required(node, 0), required(node, 1));
  return bias ? g.add(sum, bias) : sum;
}

/** Types of the result, of two statistics that only training graphs of the runtime read, and of the sum. */
function skipShape(node: NodeView): ValueType[] {
  const { dtype, shape } = required(node, 0);
  const statistics = { dtype, shape: [...shape.slice(0, -1), 1] };
  return [{ dtype, shape }, statistics, statistics, { dtype, shape }];
}

function skipResults(node: NodeView, total: Value, result: Value): (Value | undefined)[] {
  const { outputs } = node.node;
  if (outputs[1] || outputs[2]) {
    throw nodeError(
      node.node,
      "its outputs mean and inv_std_var belong to training graphs of ONNX Runtime; export the model for inference.",
    );
  }
  return [result, undefined, undefined, total];
}

/**
 * layerNorm(words + positions + segments) γ + β of token ids [batch, length]; further results are the number of tokens
 * that the mask shows in each example, and the sum.
 */
export const EmbedLayerNormalization: Op = {
  shape: (node) => {
    const { dtype, shape } = required(node, 2);
    const [batch = 0, length = 0] = required(node, 0).shape;
    const embedded = { dtype, shape: [batch, length, shape[1] ?? 0] };
    return [embedded, { dtype: "int32", shape: [batch] }, embedded];
  },
  lower: (g, node) => {
    const [ids, words, positions] = [required(node, 0), required(node, 2), required(node, 3)];
    const [segments, table, mask, positionIds] = [1, 4, 7, 8].map((index) => node.inputs[index]);
    const [batch = 0, length = 0] = ids.shape;
    const rows = positionIds ? g.gather(positions, positionIds) : g.slice(positions, [0], [length], [0]);
    const located = g.add(g.gather(words, ids), rows);
    const total = segments && table ? g.add(located, g.gather(table, segments)) : located;
    const shown = mask ? cast(g, g.reduceSum(mask, [1], { keepdims: 0 }), "int32") : undefined;
    const result = g.layerNormalization(total, required(node, 5), required(node, 6), normalized(node));
    return [result, shown ?? g.constant(zeros("int32", [batch])), total];
  },
};
