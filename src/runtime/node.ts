import { availableParallelism, totalmem } from "node:os";
import { Worker } from "node:worker_threads";
import * as ort from "onnxruntime-node";
import { formatShape } from "../onnx/graph.ts";
import type { DType, Tensor, TensorData } from "../onnx/tensor.ts";
import type { Runtime, Session, Tensors } from "./runtime.ts";

export interface NodeRuntimeOptions {
  /** Threads that one graph may use; default: the machine's cores. */
  readonly threads?: number;
}

/** ONNX Runtime's native build for Node, on the CPU. */
export function nodeRuntime(options: NodeRuntimeOptions = {}): Runtime {
  const threads = options.threads ?? availableParallelism();
  if (!Number.isInteger(threads) || threads < 1) {
    throw new Error(`threads must be a whole number from 1, received ${threads}.`);
  }
  return {
    name: `onnxruntime-node ${ort.env.versions.node ?? ort.env.versions.common}`,
    threads,
    memory: totalmem(),
    ...(threads > 1 && { startThread }),
    async createSession(model, { optimize = true, arena = true } = {}) {
      const session = await ort.InferenceSession.create(model, {
        executionProviders: ["cpu"],
        intraOpNumThreads: threads,
        interOpNumThreads: 1,
        graphOptimizationLevel: optimize ? "all" : "disabled",
        enableCpuMemArena: arena,
        enableMemPattern: arena,
        logSeverityLevel: 3,
        extra: { session: { intra_op: { allow_spinning: "0" } } },
      });
      return new NodeSession(session);
    },
  };
}

function startThread(module: object, memory: object, index: number) {
  const code = `
    const { module, memory, index } = require("node:worker_threads").workerData;
    new WebAssembly.Instance(module, { env: { memory } }).exports.serve(index);`;
  const worker = new Worker(code, { eval: true, execArgv: [], workerData: { module, memory, index } });
  // Without a listener its failure would end the process; nobody needs the thread for more than speed.
  worker.on("error", () => {});
  worker.unref();
  return {
    async stop() {
      await worker.terminate();
    },
  };
}

class NodeSession implements Session {
  readonly outputTypes: Readonly<Record<string, DType>>;
  readonly #session: ort.InferenceSession;
  // Wrapping costs more than a tiny graph takes to run, and training feeds the same buffers again and again.
  readonly #wrapped = new WeakMap<Tensor, ort.Tensor>();

  constructor(session: ort.InferenceSession) {
    this.#session = session;
    this.outputTypes = Object.fromEntries(
      session.outputMetadata.flatMap((output) =>
        output.isTensor && output.type !== "string" ? [[output.name, output.type as DType]] : [],
      ),
    );
  }

  async run(feeds: Tensors, fetches?: readonly string[] | Tensors): Promise<Record<string, Tensor>> {
    const inputs: Record<string, ort.Tensor> = {};
    for (const name of this.#session.inputNames) {
      const tensor = feeds[name];
      if (!tensor)
        throw new Error(
          `The graph's input '${name}' was not fed; received ${Object.keys(feeds).join(", ")}.`,
        );
      inputs[name] = this.#wrap(tensor);
    }
    if (fetches && !isNames(fetches)) {
      const outputs: Record<string, ort.Tensor> = {};
      for (const [name, tensor] of Object.entries(fetches)) outputs[name] = this.#wrap(tensor);
      await this.#session.run(inputs, outputs);
      return { ...fetches };
    }
    const results = await (fetches ? this.#session.run(inputs, [...fetches]) : this.#session.run(inputs));
    return Object.fromEntries(Object.entries(results).map(([name, result]) => [name, unwrap(name, result)]));
  }

  async release(): Promise<void> {
    await this.#session.release();
  }

  #wrap(tensor: Tensor): ort.Tensor {
    const found = this.#wrapped.get(tensor);
    if (found) return found;
    const wrapped = new ort.Tensor(tensor.dtype as "float32", tensor.data as Float32Array, tensor.shape);
    this.#wrapped.set(tensor, wrapped);
    return wrapped;
  }
}

function isNames(fetches: readonly string[] | Tensors): fetches is readonly string[] {
  return Array.isArray(fetches);
}

function unwrap(name: string, result: ort.Tensor): Tensor {
  if (result.type === "string") {
    throw new Error(
      `The output '${name}' ${formatShape(result.dims)} holds strings; only numbers are supported.`,
    );
  }
  return { dtype: result.type as DType, shape: result.dims, data: result.data as TensorData };
}
