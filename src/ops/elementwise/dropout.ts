/** Dropout where nothing is dropped. */
import { ModelError } from "../../errors/errors.ts";
import { describeNode, nodeName } from "../../onnx/graph.ts";
import { tensorOf, toNumbers } from "../../onnx/tensor.ts";
import type { Op } from "../op.ts";
import { required } from "../shapes.ts";
import type { NodeView } from "../view.ts";

/**
 * Outside of training the identity, with a mask of ones. In training, objectives put a product with a fed mask in its
 * place (`objective/dropout.ts`), and elsewhere it is refused: runtimes keep the random state, and even with a `seed` each run
 * of a session draws another mask, so that the derivatives of one step would belong to several functions.
 */
export const Dropout: Op = {
  shape: (node) => {
    const x = required(node, 0);
    return [x, { dtype: "bool" as const, shape: x.shape }].slice(0, node.node.outputs.length);
  },
  lower: (g, node) => {
    const x = required(node, 0);
    if (scalarOf(node, 2, 0) !== 0 && scalarOf(node, 1, 0.5) !== 0) {
      throw new ModelError(
        `${describeNode(node.node)} drops values at random (its training_mode is ` +
          `${node.constant(2) ? "true" : "not a constant"}), so no two runs compute the same function and its ` +
          "derivatives mean nothing; export the model after model.eval(), or with training_mode false.",
        { node: nodeName(node.node) },
      );
    }
    return [x, g.expand(g.constant(tensorOf("bool", [1], [])), x.shape)];
  },
};

/** A scalar input; NaN where it is not known before running. */
function scalarOf(node: NodeView, index: number, fallback: number): number {
  if (!node.inputs[index]) return fallback;
  const tensor = node.constant(index);
  return tensor ? (toNumbers(tensor)[0] ?? fallback) : Number.NaN;
}
