/** A model on its way from a file to a graph of ops with rules, whose shapes are known: the stages in their order. */
import { SettingError } from "../../errors/errors.ts";
import { option, type Words, words } from "../../errors/words.ts";
import type { Limits } from "../../limits/limits.ts";
import type { Loss } from "../../losses/loss.ts";
import type { Binding } from "../../onnx/bind.ts";
import { storeConstants } from "../../onnx/constants.ts";
import type { Fill } from "../../onnx/fill.ts";
import { type Graph, getValue, type Node } from "../../onnx/graph.ts";
import { pruneModel } from "../../onnx/prune-model.ts";
import { type Model, supportedOpsets } from "../../onnx/read-model.ts";
import { isStructural } from "../../onnx/structure/structural-ops.ts";
import { isFloat } from "../../onnx/tensor.ts";
import { type FurtherOps, findOp } from "../../ops/find-op.ts";
import { furtherOps } from "../../ops/further-ops.ts";
import { upgradeGraph } from "../../ops/upgrade.ts";
import { type ProbeOptions, probe } from "../../runtime/probe.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import type { DropoutMask } from "../dropout.ts";
import type { FinalActivation } from "../final-activation.ts";
import { checkMemory } from "../memory.ts";
import { openFixedBatch } from "./fixed-batch.ts";
import { lossOutput } from "./loss-output.ts";
import { modelFrom } from "./model-file.ts";
import { inSinglePrecision, numberNotes } from "./precision.ts";
import type { ParameterChoice } from "./trainable-parameters.ts";

export interface ImportOptions extends Binding, Pick<ParameterChoice, "trainable"> {
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
}

/** A model as the stages of its import leave it. */
export interface ImportedModel {
  /** As its file stores it, with Dropout nodes out of training mode. */
  readonly saved: Model;
  /** What of it the loss needs, inputs filled. */
  readonly model: Model;
  /** The same for the batch of the run, where its file fixes another. */
  readonly trained: Model;
  /** In the emitted form, with static shapes. */
  readonly graph: Graph;
  /** Inputs of the graph that stand for dropout. */
  readonly masks: readonly DropoutMask[];
  /** Name of the value that the loss reads. */
  readonly output: string;
  /** What is worth saying of it, in sentences. */
  readonly notes: readonly Words[];
}

/**
 * Imports a model, stage by stage. What each stage finds wrong is named with the node or value that it concerns.
 *
 * @throws when a stage refuses the model: it is damaged or too large, has an op without a rule
 * or a shape that depends on data, or does not run
 */
export async function importModel(options: ImportOptions): Promise<ImportedModel> {
  // Decode: a scan of the bytes, then nodes, with local functions written out and weights in Constant nodes stored.
  const file = storeConstants(await modelFrom(options.model, options.limits), options.trainable);
  // Fill inputs, and cut back to the value that the loss reads.
  const wanted = options.output ?? floatOutput(file);
  const further = await furtherOps(file.nodes, file.opset, [options.loss]);
  const filled = options.fill
    ? (await import("../../onnx/structure/filled-inputs.ts")).withFilledInputs(file, options.fill, options)
    : file;
  const model = pruneModel(filled, options.keepOutputs ? keptOutputs(file, wanted, further) : [wanted]);
  // An activation at the end that the loss contains is passed by.
  const read = await lossOutput(model, options.loss, wanted, options.output !== undefined);
  const { activation, notes } = read;
  // Run once: structure becomes plain nodes, values get their shapes, and a batch that the file fixes is opened.
  const opened = await openFixedBatch(read.model, { ...options, output: wanted, further }, (each) =>
    probeModel(each, options, further),
  );
  // Bring it into the form that rules are written for: masks for dropout, the newest opset, primitive ops.
  const isDropout = ({ op }: Node) => op === "Dropout";
  const hasDropout = file.nodes.some(isDropout) || opened.graph.nodes.some(isDropout);
  const dropout = hasDropout ? await import("../dropout.ts") : undefined;
  const { graph: masked, masks } = dropout?.useDropoutMasks(opened.graph) ?? {
    graph: opened.graph,
    masks: [],
  };
  const graph = upgradeGraph(masked, further);
  const before = activation && readsBefore(activation, masked, wanted, options);
  return {
    ...{ model, graph, masks },
    saved: dropout?.withoutDropout(file) ?? file,
    trained: opened.model,
    output: before ?? wanted,
    notes: [
      ...(await numberNotes(model)),
      ...(activation && !before ? [] : notes),
      ...(opened.note === undefined ? [] : [opened.note]),
    ],
  };
}

/** Name of the value before an activation; undefined where the activation does not normalize over the classes. */
function readsBefore(
  activation: FinalActivation,
  graph: Graph,
  output: string,
  { loss, targetShape }: ImportOptions,
): string | undefined {
  const prediction = getValue(graph, output);
  const target = loss.target(prediction, targetShape).shape;
  const shapeOf = (name: string) => getValue(graph, name).shape;
  return activation.valueBefore(shapeOf, loss.classAxis?.(prediction.shape, target));
}

/** The graph of a model that nothing is trained of: static shapes, the emitted form. */
export async function importGraph(
  model: Model,
  options: ProbeOptions & { readonly runtime: Runtime },
): Promise<Graph> {
  const further = await furtherOps(model.nodes, model.opset);
  const computed = await inSinglePrecision(model);
  return upgradeGraph(await probeModel(computed, options, further), further);
}

/** The model's graph with static shapes, in its own opset: followed by the shape rules first, then run once. */
async function probeModel(
  model: Model,
  options: ProbeOptions & { readonly runtime: Runtime },
  further: FurtherOps,
): Promise<Graph> {
  for (const refusal of (await checkMemory(model, options)).refusals) throw refusal;
  // When structure is replaced, and before all of it runs.
  const check = async ({ nodes, opset }: Model) => {
    const unknown = nodes.find((node) => !findOp(node, opset, further));
    // What helps is known of many ops, and loads where one of them is refused.
    if (unknown) (await import("../../ops/unsupported.ts")).refuseUnsupported(unknown, opset);
  };
  return probe(model, options.runtime, { ...options, check });
}

/** The first float output of a model, or what scikit-learn's exporter turns into lists of maps behind it. */
export function floatOutput(model: Model): string {
  const output = model.outputs.find(({ dtype }) => isFloat(dtype))?.name;
  const zipped = model.nodes.find(({ op, domain }) => op === "ZipMap" && domain === "ai.onnx.ml")?.inputs[0];
  const found = output ?? zipped;
  if (found !== undefined) return found;
  throw new SettingError(
    words`${model.source} has no float output; the loss needs one. Any value inside of the model can be it
      (${option("output")}).`,
    { option: "output" },
  );
}

/** The output that the loss reads, and those others of the file that consist of ops with rules. */
function keptOutputs(file: Model, output: string, further: FurtherOps): string[] {
  const isKnown = (node: Node) =>
    isStructural(node) || findOp(node, supportedOpsets.newest, further) !== undefined;
  const others = file.outputs
    .map(({ name }) => name)
    .filter((name) => name === output || pruneModel(file, [name]).nodes.every(isKnown));
  return others.includes(output) ? others : [...others, output];
}
