/** Runs graphs and models on a runtime, once or as a compiled session. */

import { asComputed, type EncodeOptions, encodeGraph, encodeModel } from "../onnx/encode.ts";
import type { Graph } from "../onnx/graph.ts";
import type { Model } from "../onnx/read-model.ts";
import type { Tensor } from "../onnx/tensor.ts";
import type { Runtime, Session, SessionOptions, Tensors } from "./runtime.ts";
import { accurateSigmoid, withAccurateSigmoid } from "./sigmoid.ts";

/**
 * Runs a graph once and frees everything again: for checks and for tiny graphs.
 *
 * @param feeds every input by name, in the shape [...] that the graph declares
 * @returns the outputs by name
 * @throws when the engine refuses the graph or a feed
 */
export async function evaluate(
  runtime: Runtime,
  graph: Graph,
  feeds: Tensors,
): Promise<Record<string, Tensor>> {
  const session = await runtime.createSession(encodeForRuntime(graph));
  try {
    return await session.run(feeds);
  } finally {
    await session.release();
  }
}

/** A graph as a file for ONNX Runtime, in forms that its kernels compute to the last digits. */
export function encodeForRuntime(graph: Graph, options?: EncodeOptions): Uint8Array<ArrayBuffer> {
  return encodeGraph(accurateSigmoid(graph), options);
}

/** As `encodeModel`, in the same forms: what is measured is what the file means, not where a kernel ends. */
export function encodeModelForRuntime(
  model: Model,
  replaced: ReadonlyMap<string, Tensor>,
): Uint8Array<ArrayBuffer> {
  return encodeModel(asComputed(withAccurateSigmoid(model)), model.file?.asRead(replaced) ?? replaced);
}

/** Compiles a graph from the builder, for runs that are given tensors to write into. */
export function compileGraph(runtime: Runtime, graph: Graph, options?: SessionOptions): Promise<Session> {
  return runtime.createSession(encodeForRuntime(graph), { writesInto: true, ...options });
}
