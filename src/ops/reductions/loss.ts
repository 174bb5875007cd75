/** Losses of class numbers, composed of simpler ops. */
import { string, type Value } from "../../onnx/graph.ts";
import { nodeError } from "../../onnx/node-error.ts";
import { int64 } from "../../onnx/tensor.ts";
import type { Emitter } from "../emitter.ts";
import type { Op } from "../op.ts";
import { cast } from "../rules.ts";
import { arange, required, sizeOf } from "../shapes.ts";
import { type NodeView, stringAttribute, type ValueType } from "../view.ts";

/**
 * −w_t x_t for the class t of each position: x [batch, classes, …] log-probabilities, t [batch, …]; 0 where t is
 * `ignore_index`. Reduced by sum, or by the mean weighted with w_t over the positions that are not ignored.
 */
export const NegativeLogLikelihoodLoss: Op = {
  shape: (node) => [lossType(node)],
  defaults: { reduction: string("mean") },
  lower: (g, node) => [emitLoss(g, node, required(node, 0))],
};

/** The negative log-likelihood loss of log softmax(x) along the classes, axis 1; the second output is log softmax(x). */
export const SoftmaxCrossEntropyLoss: Op = {
  shape: (node) => [lossType(node), required(node, 0)].slice(0, node.node.outputs.length),
  defaults: { reduction: string("mean") },
  lower: (g, node) => {
    const logProbabilities = g.logSoftmax(required(node, 0), { axis: 1 });
    return [emitLoss(g, node, logProbabilities), logProbabilities];
  },
};

function lossType(node: NodeView): ValueType {
  const { dtype, shape } = required(node, 0);
  const labels = required(node, 1);
  const expected = shape.toSpliced(1, 1);
  if (
    shape.length < 2 ||
    labels.shape.length !== expected.length ||
    !labels.shape.every((size, axis) => size === expected[axis])
  ) {
    throw nodeError(
      node.node,
      `labels of shape [${labels.shape.join(", ")}] do not fit scores of shape ` +
        `[${shape.join(", ")}]; expected the same without axis 1, the classes.`,
    );
  }
  return { dtype, shape: reductionOf(node) === "none" ? labels.shape : [] };
}

function reductionOf(node: NodeView): string {
  const reduction = stringAttribute(node.node, "reduction", "mean");
  if (["none", "sum", "mean"].includes(reduction)) return reduction;
  throw nodeError(node.node, `reduction '${reduction}'; expected none, sum or mean.`);
}

function emitLoss(g: Emitter, node: NodeView, logProbabilities: Value): Value {
  const { dtype, shape } = logProbabilities;
  const classWeights = node.inputs[2];
  const labels = cast(g, required(node, 1), "int64");
  const ignored = node.node.attributes.ignore_index;
  const counts = ignored?.type === "int" && g.not(g.equal(labels, ignored.value));
  // An ignored label may be any number, and what it would choose may be −∞: chosen by Where, never by products.
  const classes = counts ? g.where(counts, labels, 0) : labels;
  const onlyCounted = (value: Value) => (counts ? g.where(counts, value, 0) : value);
  const size = sizeOf(logProbabilities, 1);
  const along = shape.map((_, axis) => (axis === 1 ? size : 1));
  const isChosen = g.equal(g.unsqueeze(classes, [1]), g.constant(int64(arange(size), along)));
  const chosen = g.reduceSum(g.where(isChosen, logProbabilities, 0), [1], { keepdims: 0 });
  const weights = classWeights && onlyCounted(g.gather(classWeights, classes, { axis: 0 }));
  const losses = g.neg(weights ? g.mul(onlyCounted(chosen), weights) : onlyCounted(chosen));
  const reduction = reductionOf(node);
  if (reduction === "none") return losses;
  const total = (value: Value) => g.reduceSum(value, { keepdims: 0 });
  if (reduction === "sum") return total(losses);
  const mass = weights ?? (counts && cast(g, counts, dtype));
  return mass ? g.div(total(losses), total(mass)) : g.reduceMean(losses, { keepdims: 0 });
}
