/** Blocks of pixels as channels, and back. */
import { formatShape, int, string } from "../../onnx/graph.ts";
import { nodeError } from "../../onnx/node-error.ts";
import type { Op } from "../op.ts";
import { foldIntoBatch, ofFirst, only, rearrange } from "../rules.ts";
import { required } from "../shapes.ts";
import { intAttribute, type NodeView, stringAttribute } from "../view.ts";

/** d depthToSpace(x) = depthToSpace(dx) */
export const DepthToSpace: Op = {
  shape: (node) => {
    const block = intAttribute(node.node, "blocksize", 1);
    const [batch, channels, height, width] = imageShape(node);
    if (channels % block ** 2 !== 0) {
      throw nodeError(
        node.node,
        `${channels} channels cannot be laid out in blocks of ${block} × ${block}; their ` +
          `number must be a multiple of ${block ** 2}.`,
      );
    }
    const shape = [batch, channels / block ** 2, height * block, width * block];
    return [{ dtype: required(node, 0).dtype, shape }];
  },
  defaults: { blocksize: int(1), mode: string("DCR") },
  jvp: ofFirst(foldIntoBatch),
  transpose: (g, node, cotangents) => {
    const blocksize = intAttribute(node.node, "blocksize", 1);
    const cotangent = only(cotangents);
    if (stringAttribute(node.node, "mode", "DCR") === "DCR") {
      return g.spaceToDepth(cotangent, { blocksize });
    }
    // In mode CRD the positions of a block are the inner part of the channels.
    const [batch, channels, height, width] = imageShape(node);
    const blocks = [batch, channels / blocksize ** 2, height, blocksize, width, blocksize];
    return rearrange(g, cotangent, blocks, [0, 1, 3, 5, 2, 4], required(node, 0).shape);
  },
};

/** d spaceToDepth(x) = spaceToDepth(dx) */
export const SpaceToDepth: Op = {
  shape: (node) => {
    const block = intAttribute(node.node, "blocksize", 1);
    const [batch, channels, height, width] = imageShape(node);
    if (height % block !== 0 || width % block !== 0) {
      throw nodeError(
        node.node,
        `an image of ${height} × ${width} cannot be cut into blocks of ${block} × ${block}; ` +
          "pad it to a multiple.",
      );
    }
    const shape = [batch, channels * block ** 2, height / block, width / block];
    return [{ dtype: required(node, 0).dtype, shape }];
  },
  defaults: { blocksize: int(1) },
  jvp: ofFirst(foldIntoBatch),
  transpose: (g, node, cotangents) =>
    g.depthToSpace(only(cotangents), { blocksize: intAttribute(node.node, "blocksize", 1) }),
};

function imageShape(node: NodeView): [batch: number, channels: number, height: number, width: number] {
  const { shape } = required(node, 0);
  if (shape.length !== 4) {
    throw nodeError(
      node.node,
      `its input has shape ${formatShape(shape)}, expected [batch, channels, height, width].`,
    );
  }
  return shape as unknown as [number, number, number, number];
}
