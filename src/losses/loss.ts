import { type Graph, getValue, type Value } from "../onnx/graph.ts";
import type { DType } from "../onnx/tensor.ts";
import { GraphBuilder } from "../ops/builder.ts";
import { reshape } from "../ops/rules.ts";

/** A loss of predictions and targets, computed for each example of the batch first. */
export interface Loss {
  readonly name: string;
  /** Name and type of the target input for predictions of this type. */
  target(prediction: Value): {
    readonly name: string;
    readonly dtype: DType;
    readonly shape: readonly number[];
  };
  /** Emits ℓ_b for each example b: [batch]. */
  perExample(g: GraphBuilder, prediction: Value, target: Value): Value;
}

/**
 * The graph with a loss on top: a target input, and the outputs `losses` [batch] (ℓ_b) and `loss` (their mean).
 *
 * @param output the graph output that the loss reads; its first axis is the batch
 * @throws when the graph has no such output or it is not float.
 */
export function attachLoss(graph: Graph, loss: Loss, output: string): Graph {
  const prediction = getValue(graph, output);
  if (prediction.dtype !== "float32" && prediction.dtype !== "float64") {
    throw new Error(`The loss reads '${output}', which is ${prediction.dtype}; expected a float output.`);
  }
  if (prediction.shape.length === 0) {
    throw new Error(
      `The loss ${loss.name} reads '${output}', which is a scalar; expected a leading batch axis.`,
    );
  }
  const g = new GraphBuilder(graph.name, graph);
  const { name, dtype, shape } = loss.target(prediction);
  const losses = loss.perExample(g, prediction, g.input(name, dtype, shape));
  const mean = g.reduceMean(losses, { keepdims: 0 });
  const outputs = graph.outputs.map((value) => [value.name, value] as const);
  return g.build({ loss: mean, losses, ...Object.fromEntries(outputs) });
}

/** The mean over everything but the first axis: [batch, …] → [batch]. */
export function meanPerExample(g: GraphBuilder, values: Value): Value {
  const axes = values.shape.slice(1).map((_, axis) => axis + 1);
  return axes.length === 0
    ? values
    : reshape(g, g.reduceMean(values, axes, { keepdims: 0 }), [values.shape[0] as number]);
}
