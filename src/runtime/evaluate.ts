import { encodeGraph } from "../onnx/encode.ts";
import type { Graph } from "../onnx/graph.ts";
import type { Tensor } from "../onnx/tensor.ts";
import type { Runtime, Session, SessionOptions, Tensors } from "./runtime.ts";

/** Runs a graph once and frees everything again: for checks and for tiny graphs. */
export async function evaluate(
  runtime: Runtime,
  graph: Graph,
  feeds: Tensors,
): Promise<Record<string, Tensor>> {
  const session = await runtime.createSession(encodeGraph(graph));
  try {
    return await session.run(feeds);
  } finally {
    await session.release();
  }
}

/** Compiles a graph from the builder. */
export function compileGraph(runtime: Runtime, graph: Graph, options?: SessionOptions): Promise<Session> {
  return runtime.createSession(encodeGraph(graph), options);
}
