/** What a loss is, and how a graph gets one. */
import { reserved } from "../ad/names.ts";
import { SettingError } from "../errors/errors.ts";
import { type Graph, getValue, type Value } from "../onnx/graph.ts";
import type { DType } from "../onnx/tensor.ts";
import { emittedOpset, GraphBuilder } from "../ops/builder.ts";
import { furtherOps } from "../ops/further-ops.ts";
import { reshape } from "../ops/rules.ts";
import type { Identity } from "../settings/named.ts";

/** What a loss is but for its name and options. */
export type LossRule = Omit<Loss, keyof Identity>;

/** A loss of predictions and targets: the mean of what counts, computed for each example of the batch first. */
export interface Loss extends Identity {
  /**
   * Name and type of the target input for predictions of this type.
   *
   * @param given shape of one example's targets in the data, where it is known and may decide
   */
  target(
    prediction: Value,
    given?: readonly number[],
  ): {
    readonly name: string;
    readonly dtype: DType;
    readonly shape: readonly number[];
  };
  /** Emits for each example b the sum of its losses that count: [batch]. */
  perExample(g: GraphBuilder, prediction: Value, target: Value): Value;
  /**
   * Emits how many losses of each example count, from the targets alone: [batch], of the prediction's type. Default: one
   * each.
   */
  counts?(g: GraphBuilder, prediction: Value, target: Value): Value;
  /** The axis of the prediction along which the classes lie, for losses of class numbers. */
  classAxis?(prediction: readonly number[], target: readonly number[]): number;
  /** Ops that it contains: of an output that ends in one, it reads the value before. */
  readonly contains?: readonly string[];
  /** The values that targets may have, ends included. Default: any. */
  readonly range?: readonly [least: number, most: number];
  /**
   * How many examples, one behind the other, have their loss together, against all others of a batch: splits and batches keep such groups
   * whole, and no example has derivatives of its own. Default: each has a loss of its own.
   */
  readonly together?: number;
}

/**
 * The graph with a loss on top: a target input, and the outputs `losses` [batch] and `loss`, their mean. With s_b the sum
 * of what counts of example b and n_b how many that are, ℓ_b = s_b · batch / Σ n, so that f = mean ℓ_b = Σ s / Σ n. Where
 * nothing counts, f = 0.
 *
 * @param output the graph output that the loss reads; its first axis is the batch
 * @param given shape of one example's targets in the data, where it is known
 * @throws when the graph has no such output or it is not float.
 */
export function attachLoss(graph: Graph, loss: Loss, output: string, given?: readonly number[]): Graph {
  const prediction = getValue(graph, output);
  if (prediction.dtype !== "float32" && prediction.dtype !== "float64") {
    throw new SettingError(
      `The loss reads '${output}', which is ${prediction.dtype}; expected a float output.`,
      { option: "output" },
    );
  }
  if (prediction.shape.length === 0) {
    throw new SettingError(
      `The loss ${loss.name} reads '${output}', which is a scalar; expected a leading batch axis.`,
      { option: "output" },
    );
  }
  const g = new GraphBuilder(graph.name, graph);
  const { name, dtype, shape } = loss.target(prediction, given);
  const target = g.input(name, dtype, shape);
  const losses = emitLosses(g, loss, prediction, target);
  const mean = g.reduceMean(losses, { keepdims: 0 });
  const outputs = graph.outputs.map((value) => [value.name, value] as const);
  return g.build({ [reserved.loss]: mean, [reserved.losses]: losses, ...Object.fromEntries(outputs) });
}

/** A builder for a graph of a loss alone, with the rules of whatever it may emit. */
export async function builderFor(loss: Loss, name: string): Promise<GraphBuilder> {
  return new GraphBuilder(name, undefined, await furtherOps([], emittedOpset, [loss]));
}

/** Emits each example's share of the loss, ℓ_b = s_b · batch / Σ n: [batch]. */
export function emitLosses(g: GraphBuilder, loss: Loss, prediction: Value, target: Value): Value {
  const sums = loss.perExample(g, prediction, target);
  const counts = loss.counts?.(g, prediction, target);
  return counts ? g.div(sums, meanCount(g, counts)) : sums;
}

/** How many losses count on average; where none does, a number below any such mean. */
function meanCount(g: GraphBuilder, counts: Value): Value {
  const [batch = 1] = counts.shape;
  return g.max(g.reduceMean(counts, { keepdims: 0 }), 0.5 / batch);
}

/** The mean over everything but the first axis: [batch, …] → [batch]. */
export function meanPerExample(g: GraphBuilder, values: Value): Value {
  const axes = values.shape.slice(1).map((_, axis) => axis + 1);
  return axes.length === 0
    ? values
    : reshape(g, g.reduceMean(values, axes, { keepdims: 0 }), [values.shape[0] as number]);
}
