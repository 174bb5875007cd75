import { describeNode, string, type Value } from "../../onnx/graph.ts";
import { int64 } from "../../onnx/tensor.ts";
import { type Emitter, type NodeView, type Op, stringAttribute, type ValueType } from "../op.ts";
import { cast } from "../rules.ts";
import { required } from "../shapes.ts";

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
    const logProbabilities = g.emit("LogSoftmax", [required(node, 0)], { axis: 1 });
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
    throw new Error(
      `${describeNode(node.node)}: labels of shape [${labels.shape.join(", ")}] do not fit scores of shape ` +
        `[${shape.join(", ")}]; expected the same without axis 1, the classes.`,
    );
  }
  return { dtype, shape: reductionOf(node) === "none" ? labels.shape : [] };
}

function reductionOf(node: NodeView): string {
  const reduction = stringAttribute(node.node, "reduction", "mean");
  if (["none", "sum", "mean"].includes(reduction)) return reduction;
  throw new Error(`${describeNode(node.node)}: reduction '${reduction}'; expected none, sum or mean.`);
}

function emitLoss(g: Emitter, node: NodeView, logProbabilities: Value): Value {
  const { dtype, shape } = logProbabilities;
  const classWeights = node.inputs[2];
  const labels = cast(g, required(node, 1), "int64");
  const ignored = node.node.attributes.ignore_index;
  const counts = ignored?.type === "int" && g.emit("Not", [g.emit("Equal", [labels, ignored.value])]);
  // An ignored label may be any number, and what it would choose may be −∞: chosen by Where, never by products.
  const classes = counts ? g.emit("Where", [counts, labels, 0]) : labels;
  const onlyCounted = (value: Value) => (counts ? g.emit("Where", [counts, value, 0]) : value);
  const size = shape[1] as number;
  const numbers = int64(
    Array.from({ length: size }, (_, index) => index),
    shape.map((_, axis) => (axis === 1 ? size : 1)),
  );
  const isChosen = g.emit("Equal", [g.emit("Unsqueeze", [classes, [1]]), g.constant(numbers)]);
  const chosen = g.emit("ReduceSum", [g.emit("Where", [isChosen, logProbabilities, 0]), [1]], {
    keepdims: 0,
  });
  const weights = classWeights && onlyCounted(g.emit("Gather", [classWeights, classes], { axis: 0 }));
  const losses = g.emit("Neg", [
    weights ? g.emit("Mul", [onlyCounted(chosen), weights]) : onlyCounted(chosen),
  ]);
  const reduction = reductionOf(node);
  if (reduction === "none") return losses;
  const total = (value: Value) => g.emit("ReduceSum", [value], { keepdims: 0 });
  if (reduction === "sum") return total(losses);
  const mass = weights ?? (counts && cast(g, counts, dtype));
  return mass ? g.emit("Div", [total(losses), total(mass)]) : g.emit("ReduceMean", [losses], { keepdims: 0 });
}
