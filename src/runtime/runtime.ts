/** What a runtime is: from an ONNX file's bytes to sessions that run it. */
import type { DType, Tensor } from "../onnx/tensor.ts";

/** Tensors by the names of a graph's inputs or outputs. */
export type Tensors = Readonly<Record<string, Tensor>>;

/** One compiled graph. */
export interface Session {
  /** Element types of the outputs by name, as far as they are tensors of numbers. */
  readonly outputTypes: Readonly<Record<string, DType>>;
  /**
   * Runs the graph.
   *
   * @param feeds every input, by name, in the shape [...] that the graph declares
   * @param fetches names of the outputs wanted, or tensors to write them into; default: all, freshly allocated
   * @throws when a feed is missing or does not fit, or the engine fails
   */
  run(feeds: Tensors, fetches?: readonly string[] | Tensors): Promise<Record<string, Tensor>>;
  /** Frees the memory of the session. */
  release(): Promise<void>;
}

/** How a graph is compiled. */
export interface SessionOptions {
  /** False keeps the graph exactly as it is, every intermediate value included. Default true. */
  readonly optimize?: boolean;
  /** False returns memory to the system after each run. Default true. */
  readonly arena?: boolean;
  /** Whether runs are given large tensors to write into, which an engine may prepare for. Default false. */
  readonly writesInto?: boolean;
}

/** An inference engine. */
export interface Runtime {
  /** Engine, version and device, for example "onnxruntime-node 1.30.0 on webgpu"; without a device: the CPU. */
  readonly name: string;
  /** Threads of one session; stored with a run, because another number changes last bits. */
  readonly threads: number;
  /** Bytes that a graph's values may take together before it is refused; undefined: unknown. */
  readonly memory?: number;
  /**
   * Starts a thread that makes an instance of this WebAssembly module with `env.memory`, and calls its export
   * `serve(index)`, which returns when the thread is to end. The thread must not keep the process alive. Absent: the
   * platform has no threads, or one is all that may be used.
   */
  startThread?(module: object, memory: object, index: number): { stop(): Promise<void> };
  /** Compiles an ONNX file. */
  createSession(model: Uint8Array, options?: SessionOptions): Promise<Session>;
}
