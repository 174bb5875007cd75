/** Positions as rotations of pairs of numbers, from tables of cosines and sines. */

import { nodeError } from "../../onnx/node-error.ts";
import { int64 } from "../../onnx/tensor.ts";
import type { Op } from "../op.ts";
import { joinHeads, splitHeads } from "../products/heads.ts";
import { reshape } from "../rules.ts";
import { arange, required, sameShape, sizeOf } from "../shapes.ts";
import { floatAttribute, intAttribute, type NodeView } from "../view.ts";
import { rotated } from "./rotation.ts";

/** Rotates [batch, heads, length, size], or [batch, length, heads · size], by the angles of each position. */
export const RotaryEmbedding: Op = {
  shape: sameShape,
  lower: (g, node) => {
    const [x, positions, cosine, sine] = [0, 1, 2, 3].map((index) => required(node, index)) as [V, V, V, V];
    refusePacked(node);
    const isFlat = x.shape.length === 3;
    const heads = headsOf(node);
    const whole = isFlat ? splitHeads(g, x, heads) : x;
    const length = sizeOf(whole, 2);
    // One number is where all examples begin.
    const isOffset = positions.shape.length < 2;
    const rows = isOffset
      ? g.add(reshape(g, positions, [1, 1]), g.constant(int64(arange(length), [1, length])))
      : positions;
    const interleaved = intAttribute(node.node, "interleaved", 0) === 1;
    const result = rotated(g, whole, rows, cosine, sine, interleaved);
    return [isFlat ? joinHeads(g, result) : result];
  },
};

type V = ReturnType<typeof required>;

/** How many heads lie side by side; where nothing says it, the tables are as wide as half a head. */
function headsOf(node: NodeView): number {
  const [x, cosine] = [required(node, 0), required(node, 2)];
  const given = intAttribute(node.node, "num_heads", 0);
  return given || sizeOf(x, -1) / (2 * sizeOf(cosine, 1));
}

function refusePacked(node: NodeView): void {
  if (intAttribute(node.node, "is_packed_batching", 0) !== 0 || floatAttribute(node.node, "scale", 1) !== 1)
    throw nodeError(node.node, "packed batches and scales are not supported; export the model without them.");
}
