/** A model with a loss, or a closed-form function, as a function of parameters that can be differentiated. */
import { reserved } from "../ad/names.ts";
import { isArrayOf } from "../arrays/kind.ts";
import { ModelError } from "../errors/errors.ts";
import { option, type Words, words } from "../errors/words.ts";
import type { Loss } from "../losses/loss.ts";
import { attachLoss, emitLosses } from "../losses/loss.ts";
import { type Graph, getValue, initializersToInputs, prune, type Value } from "../onnx/graph.ts";
import type { Model } from "../onnx/read-model.ts";
import type { Tensor } from "../onnx/tensor.ts";
import type { GraphBuilder } from "../ops/builder.ts";
import { upgradeGraph } from "../ops/upgrade.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { checkArgument } from "../settings/check-argument.ts";
import type { DropoutMask } from "./dropout.ts";
import { refuseNotFinite } from "./importing/finite-weights.ts";
import type { ImportOptions } from "./importing/import-model.ts";
import { importModel } from "./importing/import-model.ts";
import type { ParameterChoice } from "./importing/trainable-parameters.ts";
import { trainableParameters } from "./importing/trainable-parameters.ts";
import { graphOption } from "./objective-options.ts";
import { freeReservedNames } from "./reserved-names.ts";

/** A model, a loss, and how the model is read. */
export interface ObjectiveOptions extends ImportOptions, ParameterChoice {
  /** What BatchNormalization normalizes with: the stored statistics (default), or those of each batch, which they follow. */
  readonly batchNorm?: "frozen" | "batch";
  /**
   * Trains the numbers of the model itself instead of copies, which saves their memory. Default: only where `model` is
   * bytes, which are decoded for this objective alone.
   */
  readonly inPlace?: boolean;
}

/** A scalar function of parameters, ready to be differentiated. */
export interface Differentiable {
  /**
   * Outputs `loss`, and for batches of examples `losses` [batch]; the parameters are inputs, under their own names.
   */
  readonly graph: Graph;
  /** Examples in one batch; 1 for closed-form functions. */
  readonly batch: number;
  /** The parameters' first values, by name; training writes into them. */
  readonly parameters: Readonly<Record<string, Parameter>>;
  /** Running statistics that follow the batches, by name: inputs like the parameters. Default: none. */
  readonly statistics?: Readonly<Record<string, Parameter>>;
  /** Name of the value that the loss reads, such as a model's logits. Default: none, as for closed-form functions. */
  readonly output?: string;
  /** What dropout multiplies values by: inputs that are drawn anew for each step. Default: none. */
  readonly masks?: readonly DropoutMask[];
  /** What runs its graphs. */
  readonly runtime: Runtime;
}

/** A trainable tensor: float32, with `data` that training writes into. */
export type Parameter = Tensor & { readonly data: Float32Array };

/** A model with a loss. */
export interface Objective extends Differentiable {
  /** As it is saved. */
  readonly model: Model;
  /** As it is trained: for another batch than the one that its file fixes. */
  readonly trained: Model;
  /** The loss on top of the model. */
  readonly loss: Loss;
  /** What is worth saying of the value that the loss reads and of how the model is trained, in sentences. */
  readonly notes: readonly Words[];
  /** Name of the value that the loss reads. */
  readonly output: string;
  /** Name of the target input. */
  readonly target: string;
}

/**
 * A closed-form function as an objective: a graph from the builder with float32 parameters and a scalar output `loss`.
 *
 * @throws when the output is no scalar, nothing is declared as a parameter, or an op is not supported
 */
export function graphObjective(given: Graph, runtime: Runtime): Differentiable {
  checkArgument("graphObjective", graphOption, given);
  const graph = upgradeGraph(given);
  const { shape } = getValue(graph, reserved.loss);
  if (shape.length > 0) {
    throw new ModelError(
      `The output 'loss' of '${graph.name}' must be a scalar, received the shape [${shape.join(", ")}].`,
    );
  }
  if (graph.parameters.length === 0) {
    throw new ModelError(
      `The graph '${graph.name}' has no parameters; declare what is minimized with g.parameter(name, values).`,
    );
  }
  const parameters = Object.fromEntries(
    graph.parameters.map((name) => [name, ownCopy(graph.name, graph, name)]),
  );
  return { graph: initializersToInputs(graph, graph.parameters), batch: 1, parameters, runtime };
}

/** As `compileObjective`, of options that are known to be right. */
export async function modelObjective(options: ObjectiveOptions): Promise<Objective> {
  const { saved, model, trained, graph, masks, output, notes } = await importModel(options);
  const chosen = prune(graph, [getValue(graph, output)]);
  const parameters = trainableParameters(chosen, output, model, options);
  if (parameters.length === 0) {
    const [wide] = [...model.initializers].find(([, { dtype }]) => dtype === "float64") ?? [];
    const isQuantized = model.nodes.some(({ op }) => op === "DequantizeLinear" || op === "MatMulNBits");
    throw new ModelError(
      words`${model.source} has nothing to train: no float32 initializer lies on a differentiable path to '${output}'${
        options.trainable || options.frozen ? " and is chosen as trainable" : ""
      }.${
        isQuantized
          ? words` Quantized weights stay as they are; train adapters beside them (${option("adapter", { rank: 8 })}).`
          : ""
      }${wide === undefined ? "" : ` '${wide}' is float64; convert the model to float32 before it is exported (in PyTorch: model.float()).`}`,
      { source: model.source },
    );
  }
  const own = graph.outputs.filter(({ name }) => model.outputs.some((value) => value.name === name));
  const free = freeReservedNames(options.keepOutputs ? { ...graph, outputs: own } : chosen, model.source);
  const { graph: kept, names: statistics } =
    options.batchNorm === "batch"
      ? (await import("./batch-norm.ts")).useBatchStatistics(free)
      : { graph: free, names: [] };
  const withLoss = attachLoss({ ...kept, parameters }, options.loss, output, options.targetShape);
  const { inPlace = isArrayOf("Uint8Array", options.model) } = options;
  const take = inPlace ? stored : ownCopy;
  const values = (names: readonly string[]) =>
    Object.fromEntries(names.map((name) => [name, take(model.source, graph, name)]));
  const first = values(parameters);
  refuseNotFinite(model.source, first);
  const batch = getValue(withLoss, reserved.losses).shape[0] as number;
  return {
    model: saved,
    trained,
    masks,
    graph: initializersToInputs(withLoss, [...parameters, ...statistics]),
    batch,
    loss: options.loss,
    notes,
    output,
    target: options.loss.target(getValue(chosen, output), options.targetShape).name,
    parameters: first,
    statistics: values(statistics),
    runtime: options.runtime,
  };
}

/** Emits the loss of other predictions than the model's, of its output's shape, for each example: [batch]. */
export function emitLossesOf({ loss, target }: Objective, g: GraphBuilder, prediction: Value): Value {
  return emitLosses(g, loss, prediction, g.value(target));
}

function ownCopy(source: string, graph: Graph, name: string): Parameter {
  const tensor = stored(source, graph, name);
  return { ...tensor, data: tensor.data.slice() };
}

function stored(source: string, graph: Graph, name: string): Parameter {
  const tensor = graph.initializers.get(name);
  if (!tensor || !isArrayOf("Float32Array", tensor.data)) {
    throw new ModelError(`${source}: parameter '${name}' must be a float32 initializer.`, { source });
  }
  return { ...tensor, data: tensor.data };
}
