import { isArrayOf } from "../arrays/kind.ts";
import type { Limits } from "../limits/limits.ts";
import { attachLoss, type Loss } from "../losses/loss.ts";
import type { Binding } from "../onnx/bind.ts";
import { storeConstants } from "../onnx/constants.ts";
import { decodeModel, type Model, readModel } from "../onnx/decode.ts";
import { encodeGraph, modelMessage } from "../onnx/encode.ts";
import { type Fill, withFilledInputs } from "../onnx/fill.ts";
import { consumers, type Graph, getValue, initializersToInputs, type Node, prune } from "../onnx/graph.ts";
import { own } from "../onnx/own.ts";
import { pruneModel } from "../onnx/prune-model.ts";
import { isStructural } from "../onnx/structure/structure.ts";
import { isFloat, type Tensor } from "../onnx/tensor.ts";
import { catalogue, opOf } from "../ops/catalogue.ts";
import { upgradeGraph } from "../ops/upgrade.ts";
import { type ProbeOptions, probe } from "../runtime/probe.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { useBatchStatistics } from "./batch-norm.ts";
import { isBuffer } from "./buffers.ts";
import { type DropoutMask, useDropoutMasks, withoutDropout } from "./dropout.ts";
import {
  type FinalActivation,
  isContained,
  lossOutput,
  valueBefore,
  withLossOutput,
} from "./final-activation.ts";
import { isMask, refuseNotFinite } from "./finite-weights.ts";
import { openFixedBatch } from "./fixed-batch.ts";
import { checkMemory } from "./memory.ts";
import { refuseHalfPrecision, refuseHalfWeights } from "./precision.ts";

export interface ObjectiveOptions extends Binding {
  /** An ONNX file's bytes, a decoded model, or a graph from the builder. */
  readonly model: Uint8Array | Model | Graph;
  /** What a model given as bytes may ask for, where it is other than `defaultLimits`. */
  readonly limits?: Partial<Limits>;
  readonly loss: Loss;
  readonly runtime: Runtime;
  /** Examples in one batch. A model file with a fixed batch keeps its own where its nodes do not allow another. */
  readonly batch: number;
  /** Shape of one example's labels or targets, where it is known: cross-entropy finds the axis of the classes by it. */
  readonly targetShape?: readonly number[];
  /** Numbers that always fill some of the model's inputs, by name; they choose branches and sizes. Default: none. */
  readonly fill?: Fill;
  /**
   * The value that the loss reads, as it is: an output, or any float value inside. Default: the model's first float output; where that ends in an activation that
   * the loss contains, such as Softmax, the value before it.
   */
  readonly output?: string;
  /** Keeps all outputs of the model; default: only what the loss needs is computed. */
  readonly keepOutputs?: boolean;
  /** What BatchNormalization normalizes with: the stored statistics (default), or those of each batch, which they follow. */
  readonly batchNorm?: "frozen" | "batch";
  /** Which float32 initializers are trained. Default: all on a differentiable path to the output, constants excepted. */
  readonly trainable?: (name: string) => boolean;
  /** Takes initializers out of what is trained. Default: none. */
  readonly frozen?: (name: string) => boolean;
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
  /** What dropout multiplies values by: inputs that are drawn anew for each step. Default: none. */
  readonly masks?: readonly DropoutMask[];
  readonly runtime: Runtime;
}

export type Parameter = Tensor & { readonly data: Float32Array };

/** A model with a loss. */
export interface Objective extends Differentiable {
  /** As it is saved. */
  readonly model: Model;
  /** As it is trained: for another batch than the one that its file fixes. */
  readonly trained: Model;
  readonly loss: Loss;
  /** What is worth saying of the value that the loss reads and of how the model is trained, in sentences. */
  readonly notes: readonly string[];
  /** Name of the value that the loss reads. */
  readonly output: string;
  /** Name of the target input. */
  readonly target: string;
}

/**
 * A closed-form function as an objective: a graph from the builder with float32 parameters and a scalar output `loss`.
 */
export function graphObjective(given: Graph, runtime: Runtime): Differentiable {
  const graph = upgradeGraph(given);
  const { shape } = getValue(graph, "loss");
  if (shape.length > 0) {
    throw new Error(
      `The output 'loss' of '${graph.name}' must be a scalar, received the shape [${shape.join(", ")}].`,
    );
  }
  if (graph.parameters.length === 0) {
    throw new Error(
      `The graph '${graph.name}' has no parameters; declare what is minimized with g.parameter(name, values).`,
    );
  }
  const parameters = Object.fromEntries(
    graph.parameters.map((name) => [name, ownCopy(graph.name, graph, name)]),
  );
  return { graph: initializersToInputs(graph, graph.parameters), batch: 1, parameters, runtime };
}

/** Turns any way to give a model into a decoded ONNX file; a graph and its model share the numbers of stored tensors. */
export function modelFrom(model: Uint8Array | Model | Graph, limits?: Partial<Limits>): Model {
  if (isArrayOf("Uint8Array", model)) return decodeModel(model, { limits });
  if ("proto" in model) return model;
  return readModel(modelMessage(storedGraph(model), fileOptions), `model '${model.name}'`);
}

/**
 * A graph from the builder as a model file: open batch axis, everything but the parameters and BatchNormalization's
 * running statistics as Constant nodes.
 */
export function encodeModelFile(graph: Graph): Uint8Array<ArrayBuffer> {
  return encodeGraph(storedGraph(graph), fileOptions);
}

const fileOptions = { openBatch: true, constantNodes: true } as const;

/** The graph with all that its file stores as initializers among its parameters. */
function storedGraph(graph: Graph): Graph {
  return { ...graph, parameters: [...graph.parameters, ...runningStatistics(graph)] };
}

/** Names of the values that BatchNormalization nodes read as running mean and variance. */
export function runningStatistics(graph: Pick<Graph, "nodes">): Set<string> {
  return new Set(
    graph.nodes.flatMap(({ op, inputs }) => (op === "BatchNormalization" ? inputs.slice(3) : [])),
  );
}

/**
 * Reads a model, finds its shapes and its parameters, and puts the loss on top.
 *
 * @throws when an op is not supported, nothing can be trained, or the loss does not fit the output.
 */
export async function compileObjective(options: ObjectiveOptions): Promise<Objective> {
  const file = storeConstants(modelFrom(options.model, options.limits), options.trainable);
  const wanted = options.output ?? floatOutput(file);
  const filled = withFilledInputs(file, options.fill ?? {}, options);
  const model = pruneModel(filled, options.keepOutputs ? keptOutputs(file, wanted) : [wanted]);
  refuseHalfPrecision(model);
  const { activation, notes } = lossOutput(model, options.loss, wanted, options.output !== undefined);
  const read = withLossOutput(model, wanted, activation);
  const opened = await openFixedBatch(read, { ...options, output: wanted }, (each) =>
    probeModel(each, options),
  );
  const { graph: masked, masks } = useDropoutMasks(opened.graph);
  const graph = upgradeGraph(masked);
  const before = activation && readsBefore(activation, masked, wanted, options);
  const output = before ?? wanted;
  const chosen = prune(graph, [getValue(graph, output)]);
  const parameters = trainableParameters(chosen, output, model, options);
  if (parameters.length === 0) {
    const [wide] = [...model.initializers].find(([, { dtype }]) => dtype === "float64") ?? [];
    throw new Error(
      `${model.source} has nothing to train: no float32 initializer lies on a differentiable path to '${output}'` +
        `${options.trainable || options.frozen ? " and is chosen as trainable" : ""}.` +
        `${wide === undefined ? "" : ` '${wide}' is float64; convert the model to float32 before it is exported (in PyTorch: model.float()).`}`,
    );
  }
  const own = graph.outputs.filter(({ name }) => model.outputs.some((value) => value.name === name));
  const free = freeReservedNames(options.keepOutputs ? { ...graph, outputs: own } : chosen, model.source);
  const { graph: kept, names: statistics } =
    options.batchNorm === "batch" ? useBatchStatistics(free) : { graph: free, names: [] };
  const withLoss = attachLoss({ ...kept, parameters }, options.loss, output, options.targetShape);
  const { inPlace = isArrayOf("Uint8Array", options.model) } = options;
  const take = inPlace ? stored : ownCopy;
  const values = (names: readonly string[]) =>
    Object.fromEntries(names.map((name) => [name, take(model.source, graph, name)]));
  const trained = values(parameters);
  refuseNotFinite(model.source, trained);
  const batch = getValue(withLoss, "losses").shape[0] as number;
  return {
    model: withoutDropout(file),
    trained: opened.model,
    masks,
    graph: initializersToInputs(withLoss, [...parameters, ...statistics]),
    batch,
    loss: options.loss,
    notes: [...(activation && !before ? [] : notes), ...(opened.note === undefined ? [] : [opened.note])],
    output,
    target: options.loss.target(getValue(chosen, output), options.targetShape).name,
    parameters: trained,
    statistics: values(statistics),
    runtime: options.runtime,
  };
}

/** Name of the value before an activation; undefined where the activation does not normalize over the classes. */
function readsBefore(
  activation: FinalActivation,
  graph: Graph,
  output: string,
  { loss, targetShape }: ObjectiveOptions,
): string | undefined {
  const prediction = getValue(graph, output);
  const target = loss.target(prediction, targetShape).shape;
  const shapeOf = (name: string) => getValue(graph, name).shape;
  const fits = isContained(activation, shapeOf, loss.classAxis?.(prediction.shape, target));
  return fits ? valueBefore(activation) : undefined;
}

/** The model's graph with static shapes, in the emitted opset. */
export async function importGraph(
  model: Model,
  options: ProbeOptions & { readonly runtime: Runtime },
): Promise<Graph> {
  return upgradeGraph(await probeModel(model, options));
}

/** The model's graph with static shapes, in its own opset. */
async function probeModel(
  model: Model,
  options: ProbeOptions & { readonly runtime: Runtime },
): Promise<Graph> {
  const check = ({ nodes, opset }: Model) => {
    for (const node of nodes) if (!isStructural(node)) opOf(node, opset);
  };
  check(model);
  refuseHalfWeights(model);
  for (const refusal of checkMemory(model, options).refusals) throw refusal;
  return probe(model, options.runtime, { ...options, check });
}

/**
 * Renames values inside a graph whose names the derived graphs use themselves.
 *
 * @throws when an input, output or stored tensor has such a name, because its name is public
 */
function freeReservedNames(graph: Graph, source: string): Graph {
  const isReserved = (name: string) => reservedNames.test(name);
  const open = [...graph.inputs, ...graph.outputs]
    .map((value) => value.name)
    .concat(...graph.initializers.keys());
  const clash = open.find(isReserved);
  if (clash !== undefined) {
    throw new Error(
      `${source}: '${clash}' is the name of an input, output or stored tensor, and derived graphs need that name for ` +
        "themselves; export the model with another one.",
    );
  }
  const renamed = new Map([...graph.values.keys()].filter(isReserved).map((name) => [name, `model/${name}`]));
  if (renamed.size === 0) return graph;
  const rename = (name: string) => renamed.get(name) ?? name;
  const nodes = graph.nodes.map((node) => ({
    ...node,
    inputs: node.inputs.map(rename),
    outputs: node.outputs.map(rename),
  }));
  const values = new Map(
    [...graph.values].map(([name, value]) => [rename(name), { ...value, name: rename(name) }]),
  );
  return { ...graph, nodes, values };
}

const reservedNames =
  /^(loss|losses|labels|target|derivatives|coefficients|gram)$|^(tangent|gradient|linear|gram|statistics)\//;

/**
 * Float32 initializers from which a differentiable path leads to `output`, in the file's order. BatchNormalization's
 * running statistics are no parameters. Unless chosen, constants are left out: scalars (exporters write numbers such as
 * an epsilon as initializers without axes), what the file declares to be a buffer (or, where it
 * declares nothing of it, what name and numbers say, `buffers.ts`), the inputs that `settings` names, and
 * constants that PyTorch's exporter computed itself, such as masks, grids, the scale of attention scores and initial
 * states of zeros. A file that
 * declares its parameters declares nothing of what was computed, which may also be a transposed or sliced parameter: the
 * numbers tell the two apart.
 */
function trainableParameters(
  graph: Graph,
  output: string,
  { buffers, declared, nodes }: Pick<Model, "buffers" | "declared" | "nodes">,
  { trainable, frozen }: Pick<ObjectiveOptions, "trainable" | "frozen">,
): string[] {
  const statistics = runningStatistics(graph);
  const reached = new Set([output]);
  for (const node of [...graph.nodes].reverse()) {
    if (!node.outputs.some((name) => reached.has(name)) || !isDifferentiable(node, graph)) continue;
    for (const name of node.inputs) reached.add(name);
  }
  // What ops were written out into tells no window from a factor, and no state from a term: their own nodes do.
  const set = [...nodes, ...graph.nodes].flatMap(({ op, inputs }) =>
    inputs.slice(own(settings, op) ?? inputs.length),
  );
  const constants = new Set([...buffers, ...set]);
  const [readers, readersInFile] = [consumers(graph), consumers({ nodes })];
  // Angles that tracing multiplied out: nothing that is trained goes into a sine alone.
  const isAngle = (name: string) =>
    /^onnx::(Sin|Cos)_\d+$/.test(name) && readers.get(name)?.every(({ op }) => op === "Sin" || op === "Cos");
  const isComputed = (name: string, tensor: Tensor) =>
    (declared.size > 0 ? !declared.has(name) : /^val_\d+$/.test(name)) &&
    ((readers.get(name)?.every(({ op }) => spreading.has(op)) && repeatsItself(tensor)) ||
      (readersInFile.get(name)?.every((node) => standsIn(node, name)) &&
        tensor.data.every((each) => each === tensor.data[0])));
  const isTrained = (name: string, tensor: Tensor) =>
    tensor.shape.length > 0 &&
    !constants.has(name) &&
    !(!declared.has(name) && isBuffer(name, tensor)) &&
    !isAngle(name) &&
    !isComputed(name, tensor) &&
    !isMask(tensor);
  return graph.parameters.filter((name) => {
    const tensor = graph.initializers.get(name);
    if (!reached.has(name) || tensor?.dtype !== "float32" || statistics.has(name)) return false;
    return (trainable ? trainable(name) : isTrained(name, tensor)) && !frozen?.(name);
  });
}

/** Whether numbers are infinite, or occur twice and more on average, as trained ones hardly do; one alone counts as well. */
function repeatsItself({ data }: Tensor): boolean {
  const numbers = Array.from(data as ArrayLike<number>);
  const isInfinite = numbers.some((number) => !Number.isFinite(number));
  return numbers.length === 1 || isInfinite || 2 * new Set(numbers).size <= numbers.length;
}

/** Ops that read masks, grids and scales. */
const spreading: ReadonlySet<string> = new Set(["Add", "Sub", "Mul", "Div", "Where", "Expand"]);

/**
 * Whether a value is in the place of something that there is not: a state that a recurrent layer begins with in a fixed
 * batch, or the scale and bias of the InstanceNormalization that a GroupNorm is written with.
 */
function standsIn({ op, inputs }: Node, name: string): boolean {
  const places = own(standInPlaces, op) ?? [];
  return inputs.every((input, place) => input !== name || places.includes(place));
}

const standInPlaces: Readonly<Record<string, readonly number[]>> = {
  RNN: [5],
  GRU: [5],
  LSTM: [5, 6],
  InstanceNormalization: [1, 2],
};

/** The first of the inputs that say how an op works: the two values of a code, regions and scales, a window. */
const settings: Readonly<Record<string, number>> = { OneHot: 2, Resize: 1, STFT: 2 };

function isDifferentiable(node: Node, graph: Graph): boolean {
  return opOf(node, graph.opset).jvp !== undefined;
}

function ownCopy(source: string, graph: Graph, name: string): Parameter {
  const tensor = stored(source, graph, name);
  return { ...tensor, data: tensor.data.slice() };
}

function stored(source: string, graph: Graph, name: string): Parameter {
  const tensor = graph.initializers.get(name);
  if (!tensor || !isArrayOf("Float32Array", tensor.data)) {
    throw new Error(`${source}: parameter '${name}' must be a float32 initializer.`);
  }
  return { ...tensor, data: tensor.data };
}

/** The first float output of a model, or what scikit-learn's exporter turns into lists of maps behind it. */
export function floatOutput(model: Model): string {
  const output = model.outputs.find(({ dtype }) => isFloat(dtype))?.name;
  const zipped = model.nodes.find(({ op, domain }) => op === "ZipMap" && domain === "ai.onnx.ml")?.inputs[0];
  const found = output ?? zipped;
  if (found !== undefined) return found;
  throw new Error(
    `${model.source} has no float output; the loss needs one. Any value inside of the model can be it (--output NAME).`,
  );
}

/** The output that the loss reads, and those others of the file that consist of ops with rules. */
function keptOutputs(file: Model, output: string): string[] {
  const isKnown = (node: Node) =>
    isStructural(node) || (node.domain === "" && Object.hasOwn(catalogue, node.op));
  const others = file.outputs
    .map(({ name }) => name)
    .filter((name) => name === output || pruneModel(file, [name]).nodes.every(isKnown));
  return others.includes(output) ? others : [...others, output];
}
