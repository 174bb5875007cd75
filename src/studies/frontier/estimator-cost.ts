import { derivativeGraph } from "../../ad/derivatives.ts";
import { gradientGraph } from "../../ad/gradient.ts";
import { reserved } from "../../ad/names.ts";
import { ModelError } from "../../errors/errors.ts";
import { dualGraph, findSites, localGraph, observationGraph } from "../../estimate/sites/graphs.ts";
import { findGuess } from "../../estimate/sites/guess.ts";
import {
  formsOf,
  weightsAlongGraph,
  weightsCombineGraph,
  weightsGramGraph,
  withoutModelOutputs,
} from "../../estimate/weights/kept.ts";
import { guessSetting } from "../../guess/guesses.ts";
import type { Differentiable } from "../../objective/objective.ts";
import { countParameters, parameterShapes } from "../../objective/parameters.ts";
import { type Graph, getValue, type Node } from "../../onnx/graph.ts";
import { elementCount } from "../../onnx/tensor.ts";
import { intAttribute } from "../../ops/view.ts";
import type { ConfigValue } from "../../settings/config.ts";
import { gaussian } from "../../tangents/gaussian.ts";
import { createTangentSet } from "../../tangents/tangent-set.ts";
import { type EstimatorSettings, resolveEstimator } from "../../train/settings/estimator.ts";

/** What one estimate of the gradient costs, as far as it follows from the rules: nothing is timed. */
export interface EstimatorCost {
  /**
   * Operations of matrix products and convolutions in GEMM units: one is a forward pass of the batch, 2·batch·n for a fully
   * connected network of n weights.
   */
  readonly units: number;
  /** Random numbers. */
  readonly numbers: number;
  /**
   * Bytes that k workers send in all if each holds one tangent, all know the seed, and everyone is to know the whole estimate: d of each
   * tangent (and example), or each example's gradient at the sites where that is less; what moves at the logits where a guess
   * learns from it; the gradient where it is exact.
   */
  readonly bytes: number;
}

const bytesPerNumber = 4;

/** Adds up what the graphs of an estimator compute; sites are found by running the model on a made-up batch. */
export async function estimatorCost(
  objective: Differentiable,
  settings: EstimatorSettings,
): Promise<EstimatorCost> {
  const unit = productOperations(objective.graph);
  const { operations, numbers, bytes } = await operationsOf(objective, settings);
  return { units: operations / unit, numbers, bytes };
}

interface Operations extends Omit<EstimatorCost, "units"> {
  readonly operations: number;
}

async function operationsOf(objective: Differentiable, settings: EstimatorSettings): Promise<Operations> {
  const { graph, parameters, batch } = objective;
  const names = Object.keys(parameters);
  if (settings.gradient === "exact") {
    return {
      operations: productOperations(gradientGraph(graph, names, reserved.loss)),
      numbers: 0,
      bytes: bytesPerNumber * countParameters(parameters),
    };
  }
  const { tangents: k, perturb, aggregate, sampler = gaussian() } = resolveEstimator(settings);
  const { usesGram } = aggregate;
  const guess = guessSetting.choose(guessIn(perturb.config?.guess));
  const total = (graphs: readonly Graph[]) =>
    graphs.reduce((sum, derived) => sum + productOperations(derived), 0);
  if (perturb.name === "weights") {
    const shapes = parameterShapes(parameters);
    // Of one tangent: room for all would be large.
    const { parts } = createTangentSet(shapes, 1, sampler);
    const forms = formsOf({ parts, sampler });
    return {
      operations: total([
        withoutModelOutputs(derivativeGraph(graph, forms, k, reserved.loss), objective),
        ...(usesGram ? [weightsGramGraph(graph, forms, k)] : []),
        weightsCombineGraph(graph, forms, k),
        ...(guess.name === "none" ? [] : [weightsAlongGraph(graph, forms, k)]),
      ]),
      numbers: k * parts.reduce((sum, { tensor }) => sum + tensor.data.length, 0),
      bytes: bytesPerNumber * k,
    };
  }
  const { shareTangents, pattern } = perturb.config ?? {};
  const blocks = typeof pattern === "string" ? new RegExp(pattern.slice(1, pattern.lastIndexOf("/"))) : true;
  const found = await findSites(objective, { blocks: perturb.name === "blocks" && blocks, guess });
  const corrected = await findGuess(objective, { guess, tangents: k }, found);
  const counts = { count: k, examples: shareTangents ? 1 : batch };
  // A guess learns from all that moves at its signal, from which d follows.
  const numbersOfTangent = corrected ? elementCount(getValue(graph, corrected.signal).shape) / batch : 1;
  return {
    operations: total([
      dualGraph(objective, found, counts, [], corrected),
      ...(usesGram || corrected
        ? [observationGraph(objective, found, counts, { gram: usesGram, guess: corrected })]
        : []),
      localGraph(objective, found, counts, 1, "inputs", corrected),
    ]),
    numbers: k * counts.examples * found.dimension,
    bytes: bytesPerNumber * batch * Math.min(k * numbersOfTangent, found.dimension),
  };
}

/** A guess in a configuration as it can be chosen: options that follow from the objective are null there. */
function guessIn(config: ConfigValue | undefined): unknown {
  if (typeof config !== "object" || config === null) return config ?? "none";
  return Object.fromEntries(Object.entries(config).filter(([, value]) => value !== null));
}

/** Operations of all matrix products and convolutions of a graph, two for each multiplication: 2·m·n·inner of a product. */
export function productOperations(graph: Graph): number {
  return graph.nodes.reduce((sum, node) => sum + nodeOperations(graph, node), 0);
}

/** Ops that multiply and add, and are none of those that are counted. */
const uncounted = new Set(["Einsum", "LSTM", "GRU", "RNN", "Attention", "DeformConv"]);

function nodeOperations(graph: Graph, node: Node): number {
  const shape = (name: string | undefined) => getValue(graph, name ?? "").shape;
  const [x, w] = node.inputs;
  const outputs = () => elementCount(shape(node.outputs[0]));
  switch (node.op) {
    case "MatMul":
      return 2 * outputs() * (shape(x).at(-1) ?? 1);
    case "Gemm":
      return 2 * outputs() * (shape(x)[intAttribute(node, "transA", 0) === 1 ? 0 : 1] ?? 1);
    case "Conv":
      // Kernels are [filters, channels of a group, ...window].
      return 2 * outputs() * elementCount(shape(w).slice(1));
    case "ConvTranspose":
      // Each number of the input goes to [filters of a group, ...window] places.
      return 2 * elementCount(shape(x)) * elementCount(shape(w).slice(1));
  }
  if (!uncounted.has(node.op)) return 0;
  throw new ModelError(
    `The operations of ${node.op} nodes are not counted ('${node.name}'); use a model of MatMul, Gemm and Conv.`,
    { node: node.name },
  );
}
