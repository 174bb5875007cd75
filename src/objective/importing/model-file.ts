/** Models as files: any way to give one becomes a decoded ONNX file, and a graph from the builder one that can be saved. */

import { isArrayOf } from "../../arrays/kind.ts";
import type { Limits } from "../../limits/limits.ts";
import { encodeGraph, modelMessage } from "../../onnx/encode.ts";
import type { Graph } from "../../onnx/graph.ts";
import { type Model, readModel } from "../../onnx/read-model.ts";
import { checkArgument } from "../../settings/check-argument.ts";
import { graphOption } from "../objective-options.ts";
import { inSinglePrecision } from "./precision.ts";

/** Turns any way to give a model into a decoded ONNX file that computes in float32; a graph and its model share the numbers of stored tensors. */
export async function modelFrom(model: Uint8Array | Model | Graph, limits?: Partial<Limits>): Promise<Model> {
  // Loaded where it is asked for: pages that build their models do without.
  if (isArrayOf("Uint8Array", model))
    return inSinglePrecision((await import("../../onnx/decode.ts")).decodeModel(model, { limits }));
  return "proto" in model ? inSinglePrecision(model) : modelOfGraph(model);
}

/** A graph from the builder as a decoded ONNX file, which shares the numbers of its stored tensors. */
export function modelOfGraph(graph: Graph): Model {
  return readModel(modelMessage(storedGraph(graph), fileOptions), `model '${graph.name}'`);
}

/**
 * A graph from the builder as a model file: open batch axis, everything but the parameters and BatchNormalization's
 * running statistics as Constant nodes.
 *
 * @throws SettingError for what is no graph
 */
export function encodeModelFile(graph: Graph): Uint8Array<ArrayBuffer> {
  checkArgument("encodeModelFile", graphOption, graph);
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
