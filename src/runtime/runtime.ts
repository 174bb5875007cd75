/** What a runtime is: from an ONNX file's bytes to sessions that run it. */
import type { DType, Tensor, TensorData } from "../onnx/tensor.ts";

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
   * @param fetches names of the outputs wanted, or tensors to write them into; default: all, freshly allocated. Tensors that a
   * residence holds are fed and written where they are
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
  /** Outputs that runs write into held tensors, which then cross nowhere. Default: none; held ones are written anyhow. */
  readonly stays?: readonly string[];
}

/**
 * Memory where graphs are computed: what one run writes there, others read. Held tensors live as long as the runtime has a session.
 */
export interface Residence {
  /** Whether it lies apart from the program's, so that reading and writing is a transfer. */
  readonly isApart: boolean;
  /**
   * Bytes that crossed so far: up, what runs were fed and what was written; down, what runs returned and what was read. What the
   * engine moves inside of a run, for operations that it computes elsewhere, is not known.
   */
  readonly crossed: { readonly up: number; readonly down: number };
  /** A tensor [...] that stays there: zeros, until a run or `write` fills it. Reading its `data` throws a DeviceError. */
  hold(dtype: DType, shape: readonly number[]): Tensor;
  /** Copies numbers [n] into a held tensor. @throws ModelError for a wrong count, or a tensor that it does not hold */
  write(held: Tensor, numbers: TensorData): void;
  /** Copies the numbers of a held tensor into an array [n] of the program. @throws ModelError for a tensor that it does not hold */
  read(held: Tensor): Promise<TensorData>;
  /** Frees held tensors; they cannot be fed any more. */
  release(held: Iterable<Tensor>): void;
  /**
   * Runs a WGSL shader whose entry point is `main`, so many workgroups of it, with bindings 0, `words`, and 1, the numbers of a held
   * tensor. Absent: the device takes none.
   */
  compute?(code: string, words: Uint32Array, held: Tensor, groups: number): void;
}

/** An inference engine. */
export interface Runtime {
  /** Engine, version and device, for example "onnxruntime-node 1.30.0 on webgpu"; without a device: the CPU. */
  readonly name: string;
  /** Threads of one session; stored with a run, because another number changes last bits. */
  readonly threads: number;
  /** Bytes that a graph's values may take together before it is refused; undefined: unknown. */
  readonly memory?: number;
  /** Where tensors can stay between runs. Default: nowhere. */
  readonly residence?: Residence;
  /**
   * Starts a thread that makes an instance of this WebAssembly module with `env.memory`, and calls its export
   * `serve(index)`, which returns when the thread is to end. The thread must not keep the process alive. Absent: the
   * platform has no threads, or one is all that may be used.
   */
  startThread?(module: object, memory: object, index: number): { stop(): Promise<void> };
  /** Compiles an ONNX file. */
  createSession(model: Uint8Array, options?: SessionOptions): Promise<Session>;
}
