/** The runtime of Node: onnxruntime-node, on the CPU, WebGPU or CUDA. */
import { existsSync } from "node:fs";
import { availableParallelism, totalmem } from "node:os";
import { Worker } from "node:worker_threads";
import type { Tensor as EngineTensor, InferenceSession } from "onnxruntime-node";
import { DeviceError } from "../errors/errors.ts";
import { option, type Words, words } from "../errors/words.ts";
import { refuseExternalData } from "../onnx/messages/external-data.ts";
import type { DType, Tensor, TensorData } from "../onnx/tensor.ts";
import { checkOptions } from "../settings/check.ts";
import { choice, toggle, whole } from "../settings/option.ts";
import {
  fedInputs,
  isNames,
  type NamedSession,
  type OutputNames,
  openNamed,
  refuseStrings,
  wrappedOnce,
} from "./engine-session.ts";
import { isUnreturned, trialModel, unreturned, withUnreturned } from "./kept-outputs.ts";
import { forEngine, fromEngine, ort, processEnvironment } from "./node-realm.ts";
import { HeldTensors, programMemory } from "./residence.ts";
import type { Runtime, Session, Tensors } from "./runtime.ts";
import { findWebgpuGaps } from "./webgpu-gaps.ts";

/** What a graph can run on in Node: "cuda" is for Linux on x64, with libraries that are no part of the package. */
export const nodeDevices = ["cpu", "webgpu", "cuda"] as const;
/** Where graphs are computed. */
export type NodeDevice = (typeof nodeDevices)[number];

const runtimeOptions = {
  device: choice(nodeDevices, {}),
  threads: whole(1, {}),
  spin: toggle({}),
};

/** How `nodeRuntime` computes. */
export interface NodeRuntimeOptions {
  /** Default "cpu". What a device cannot compute, such as float64 and most of int64, stays on the CPU. */
  readonly device?: NodeDevice;
  /** Threads that one graph may use on the CPU; default: the machine's cores. */
  readonly threads?: number;
  /**
   * Whether threads that wait for work within a graph keep their cores busy: faster for graphs of many small nodes, such as exact
   * gradients of convolutions, where nobody else needs the cores, and several times as slow where somebody does. Default false.
   */
  readonly spin?: boolean;
}

/**
 * ONNX Runtime's native build for Node. Inputs and outputs lie in the CPU's memory, whatever the device. Its telemetry is
 * off unless the environment says otherwise (ORT_DISABLE_TELEMETRY=0).
 *
 * @throws SettingError for an unknown option or a wrong value; DeviceError from the first `createSession` when the device is not there
 */
export function nodeRuntime(options: NodeRuntimeOptions = {}): Runtime {
  checkOptions(runtimeOptions, options, { of: "nodeRuntime" });
  const { device = "cpu", spin = false } = options;
  // The engine reads it when it makes the first session.
  processEnvironment.ORT_DISABLE_TELEMETRY ??= "1";
  const threads = options.threads ?? availableParallelism();
  const version = `onnxruntime-node ${ort.env.versions.node ?? ort.env.versions.common}`;
  let keepsOutputs: Promise<boolean> | undefined;
  const residence = new HeldTensors<EngineTensor>(
    programMemory(wrapped, ({ data }) => fromEngine(data as TensorData)),
  );
  return {
    residence,
    name: device === "cpu" ? version : `${version} on ${device}`,
    threads,
    memory: totalmem(),
    ...(threads > 1 && { startThread }),
    async createSession(model, { optimize = true, arena = true, writesInto = false } = {}) {
      refuseExternalData(model);
      if (writesInto && device === "cpu") keepsOutputs ??= tryKeptOutputs();
      const keeps = writesInto && (await keepsOutputs) === true;
      const gaps = device === "webgpu" ? findWebgpuGaps(model) : undefined;
      const settings: InferenceSession.SessionOptions = {
        // An empty list of names is refused.
        executionProviders: [gaps?.names.length ? { name: "webgpu", forceCpuNodeNames: gaps.names } : device],
        intraOpNumThreads: threads,
        interOpNumThreads: 1,
        graphOptimizationLevel: optimize ? "all" : "disabled",
        enableCpuMemArena: arena,
        enableMemPattern: arena,
        logSeverityLevel: 3,
        // What moves QuantizeLinear around other nodes gives it a type that its zero point has not.
        extra: {
          session: {
            disable_quant_qdq: "1",
            // JavaScript has its core back when a run ends.
            ...(spin && { force_spinning_stop: "1" }),
            intra_op: { allow_spinning: spin ? "1" : "0" },
          },
        },
      };
      try {
        const given = gaps?.model ?? model;
        const open = (bytes: Uint8Array) =>
          ort.InferenceSession.create(keeps ? withUnreturned(bytes) : bytes, settings);
        return new NodeSession(await openNamed(given, open, (session) => session.release()), residence);
      } catch (cause) {
        throw explained(device, cause);
      }
    },
  };
}

/** Whether the engine writes into tensors that it is given before it fails at an output that cannot be returned. */
async function tryKeptOutputs(): Promise<boolean> {
  const session = await ort.InferenceSession.create(trialModel());
  try {
    const number = (value: number) =>
      new ort.Tensor("float32", forEngine(Float32Array.of(value)) as Float32Array, [1]);
    const [x, y] = [number(1), number(0)] as const;
    const failure = await session.run({ x }, { [unreturned]: null, y }).then(
      () => undefined,
      (error) => error,
    );
    return isUnreturned(failure) && y.data[0] === -1;
  } finally {
    await session.release();
  }
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

/** The error of a session that could not be made: about the device where that is missing, otherwise as it came. */
function explained(device: NodeDevice, cause: unknown): unknown {
  const message = cause instanceof Error ? cause.message : String(cause);
  const isMissing = {
    cpu: false,
    webgpu: /WebGpuContext::Initialize|backend not found/.test(message),
    cuda: /ExecutionProvider_Cuda|CUDA failure|providers_(cuda|shared)|backend not found/i.test(message),
  };
  if (!isMissing[device]) return cause;
  // ONNX Runtime's messages begin with a file and a condition of its source.
  const reason = message.replace(/^.* was false\. /s, "").trim();
  const [what, fix] = device === "webgpu" ? webgpuRemedy() : cudaRemedy();
  return new DeviceError(
    words`The device ${device} cannot be used: ONNX Runtime says "${reason}". ${what} ${fix}, or use the CPU
      (${option("device", "cpu")}).`,
    { device, cause },
  );
}

/** What was tried, and what to do. */
function webgpuRemedy(): [string, string | Words] {
  if (process.platform !== "linux") {
    return [
      `Tried ${process.platform === "darwin" ? "Metal" : "Direct3D 12"}.`,
      "Update the driver of the graphics card",
    ];
  }
  if (process.arch !== "x64") {
    return [
      `onnxruntime-node has WebGPU for Linux on x64 alone, and this is ${process.arch}.`,
      "Use another machine",
    ];
  }
  const variable = ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"].find((name) => process.env[name]);
  const files = (variable && process.env[variable]) || "";
  const missing = files.split(":").filter((file) => file !== "" && !existsSync(file));
  const tried = variable
    ? `${variable}=${files}${missing.length > 0 ? ` (there is no ${missing.join(", ")})` : ""}`
    : "the installed ones, because VK_DRIVER_FILES is not set";
  return [
    `Tried Vulkan with the drivers of ${tried}.`,
    "Install libvulkan1 and the Vulkan driver of the graphics card; without a card, Debian's chromium has a driver in " +
      "software: apt-get install chromium libvulkan1, and set " +
      "VK_DRIVER_FILES=/usr/lib/chromium/vk_swiftshader_icd.json before the program starts",
  ];
}

function cudaRemedy(): [string, string | Words] {
  const isOffered = process.platform === "linux" && process.arch === "x64";
  return isOffered
    ? [
        "CUDA needs an NVIDIA card with its driver, CUDA 12 and cuDNN 9, and libraries that onnxruntime-node's install " +
          "script downloads.",
        words`Run that script (npm rebuild onnxruntime-node --ignore-scripts=false), or use
          ${option("device", "webgpu")}`,
      ]
    : [
        `onnxruntime-node has CUDA for Linux on x64 alone, and this is ${process.platform} on ${process.arch}.`,
        words`Use ${option("device", "webgpu")}`,
      ];
}

const wrapped = ({ dtype, data, shape }: Tensor) =>
  new ort.Tensor(dtype as "float32", forEngine(data) as Float32Array, shape);

/** Bytes of outputs from which on not to return them is faster. */
const keptFrom = 2 ** 16;

class NodeSession implements Session {
  readonly outputTypes: Readonly<Record<string, DType>>;
  readonly #session: InferenceSession;
  readonly #names: OutputNames;
  readonly #wrap = wrappedOnce(wrapped);
  /** What a run returns that is given no tensors. */
  readonly #returned: readonly string[];
  readonly #keepsOutputs: boolean;

  readonly #held: HeldTensors<EngineTensor>;

  constructor({ session, names }: NamedSession<InferenceSession>, held: HeldTensors<EngineTensor>) {
    this.#held = held;
    this.#session = session;
    this.#names = names;
    this.#returned = session.outputNames.filter((name) => name !== unreturned);
    this.#keepsOutputs = this.#returned.length < session.outputNames.length;
    this.outputTypes = names.typesOf(session);
  }

  async run(feeds: Tensors, fetches?: readonly string[] | Tensors): Promise<Record<string, Tensor>> {
    const held = this.#held;
    const inputs = fedInputs(this.#session, feeds, (tensor) => {
      held.count("up", [tensor]);
      return held.holds(tensor) ? held.engineTensorOf(tensor) : this.#wrap(tensor);
    });
    if (fetches && !isNames(fetches)) {
      const given = Object.entries(fetches);
      if (given.some(([, tensor]) => held.holds(tensor))) return this.#replace(inputs, fetches);
      held.count("down", Object.values(fetches));
      const outputs = given.map(([name, tensor]) => [this.#names.inner(name), this.#wrap(tensor)]);
      await this.#write(inputs, Object.fromEntries(outputs));
      return { ...fetches };
    }
    const names = fetches?.map((name) => this.#names.inner(name)) ?? this.#returned;
    const results = await this.#session.run(inputs, names);
    return Object.fromEntries(
      Object.entries(results).map(([inner, result]) => {
        const name = this.#names.outer(inner);
        const tensor = unwrap(name, result);
        held.count("down", [tensor]);
        return [name, tensor];
      }),
    );
  }

  async release(): Promise<void> {
    await this.#session.release();
  }

  /** Runs with outputs of which some are held: what the run returns takes their place. */
  async #replace(inputs: Readonly<Record<string, EngineTensor>>, fetches: Tensors) {
    const others = Object.entries(fetches).filter(([, tensor]) => !this.#held.holds(tensor));
    for (const [, tensor] of others) this.#held.count("down", [tensor]);
    const wanted = Object.keys(fetches).map((name) => [this.#names.inner(name), null] as const);
    const plain = others.map(([name, tensor]) => [this.#names.inner(name), this.#wrap(tensor)] as const);
    const results = await this.#session.run(inputs, Object.fromEntries([...wanted, ...plain]));
    for (const [name, tensor] of Object.entries(fetches))
      if (this.#held.holds(tensor))
        this.#held.replace(name, tensor, { stored: results[this.#names.inner(name)] as EngineTensor });
    return { ...fetches };
  }

  /** Runs with outputs that are written where they are; what the run returns is of no use. */
  async #write(
    inputs: Readonly<Record<string, EngineTensor>>,
    outputs: Readonly<Record<string, EngineTensor>>,
  ): Promise<void> {
    const bytes = Object.values(outputs).reduce(
      (sum, { data }) => sum + (data as Float32Array).byteLength,
      0,
    );
    // A failure takes longer than few bytes.
    if (!this.#keepsOutputs || bytes < keptFrom) await this.#session.run(inputs, outputs);
    else
      try {
        await this.#session.run(inputs, { [unreturned]: null, ...outputs });
      } catch (error) {
        if (!isUnreturned(error)) throw error;
      }
  }
}

function unwrap(name: string, result: EngineTensor): Tensor {
  refuseStrings(name, result);
  return { dtype: result.type as DType, shape: result.dims, data: fromEngine(result.data as TensorData) };
}
