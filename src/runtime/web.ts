/** The runtime of pages and of their workers: onnxruntime-web, on WebAssembly or WebGPU. */
import type { Tensor as EngineTensor, InferenceSession } from "onnxruntime-web";
import { DeviceError, ModelError, SettingError } from "../errors/errors.ts";
import { option, words } from "../errors/words.ts";
import { formatShape } from "../onnx/graph.ts";
import { refuseExternalData } from "../onnx/messages/external-data.ts";
import { own } from "../onnx/own.ts";
import type { DType, Tensor, TensorData } from "../onnx/tensor.ts";
import { checkOptions } from "../settings/check.ts";
import { choice, text, whole } from "../settings/option.ts";
import {
  fedInputs,
  isNames,
  type NamedSession,
  type OutputNames,
  openNamed,
  refuseStrings,
  wrappedOnce,
} from "./engine-session.ts";
import { afterMessages, pacemaker, page, startThread } from "./page.ts";
import { HeldTensors, programMemory } from "./residence.ts";
import type { Runtime, Session, SessionOptions, Tensors } from "./runtime.ts";
import { type FromBuffer, type GraphicsDevice, onGraphicsDevice, type WhileThere } from "./web-residence.ts";

/** What a graph can run on in a page. */
export const webDevices = ["wasm", "webgpu"] as const;
/** Where graphs are computed. */
export type WebDevice = (typeof webDevices)[number];

const runtimeOptions = {
  device: choice(webDevices, {}),
  threads: whole(1, {}),
  wasmPaths: text({}),
};

/** How `webRuntime` computes. */
export interface WebRuntimeOptions {
  /** Default "wasm", the CPU. What WebGPU cannot compute, such as most of int64, stays on the CPU. */
  readonly device?: WebDevice;
  /**
   * Threads that one graph may use; default: one, or in an isolated page (the headers COOP and COEP) on a machine of four cores and
   * more half of them, because two threads cost twice the processor's time. One engine serves a whole page: the first runtime sets it.
   */
  readonly threads?: number;
  /** Folder of the engine's `.wasm` and `.mjs` files, as an address that ends in "/"; default: where the bundler put them. */
  readonly wasmPaths?: string;
}

/** As much of onnxruntime-web as is used here. */
type Engine = typeof import("onnxruntime-web/wasm");

/** A loaded engine with what is decided when it is. */
interface Loaded {
  readonly engine: Engine;
  readonly device: WebDevice;
  readonly threads: number;
  /** One at a time: its WebAssembly module holds one call's state. */
  readonly queue: Queue;
}

// The engine is one for each page and device; so are its threads, and the order of its calls.
const loaded = new Map<WebDevice, Promise<Loaded>>();

/**
 * ONNX Runtime's build for pages and workers (`npm install onnxruntime-web`). Inputs and outputs lie in the page's memory, whatever
 * the device.
 *
 * @throws SettingError for an unknown option, a wrong value, or another number of threads than this page's engine has; DeviceError
 * where the engine is not installed, or the device is not there
 */
export async function webRuntime(options: WebRuntimeOptions = {}): Promise<Runtime> {
  checkOptions(runtimeOptions, options, { of: "webRuntime" });
  const { device = "wasm" } = options;
  if (device === "webgpu") await requireWebgpu();
  const main = await loadOnce(device, options);
  const { engine, threads } = main;
  if (options.threads !== undefined && options.threads !== threads) {
    throw new SettingError(
      words`${option("threads", options.threads)} comes too late: the engine of this page runs on ${threads} thread${
        threads === 1 ? "" : "s"
      } since its first runtime was made. Give the number there, or open a worker of its own.`,
      { option: "threads" },
    );
  }
  const loss: DeviceLoss = { waiting: new Set() };
  const wrap = wrapped(engine);
  const fromBuffer: FromBuffer<EngineTensor> = (buffer, options) =>
    engine.Tensor.fromGpuBuffer(buffer as never, options as never);
  const memory =
    device === "webgpu"
      ? onGraphicsDevice(fromBuffer, () => loss.device, unlessLost(loss))
      : programMemory<EngineTensor>(wrap);
  const held = new HeldTensors<EngineTensor>(memory);
  return {
    residence: held,
    name: `onnxruntime-web ${engine.env.versions.web ?? engine.env.versions.common} on ${device}`,
    threads,
    // What a 32-bit WebAssembly memory can hold.
    memory: 2 ** 32,
    ...(threads > 1 && { startThread }),
    async createSession(model, settings = {}) {
      refuseExternalData(model);
      // The builds with WebGPU have hardly a kernel for double precision, on the CPU either.
      const isElsewhere = device === "webgpu" && (await import("./webgpu-gaps.ts")).holdsFloat64(model);
      const host = isElsewhere ? await loadOnce("wasm", options) : main;
      const open = (bytes: Uint8Array) => host.queue.add(() => createSession(host, bytes, settings));
      const named = await openNamed(model, open, (session) => host.queue.add(() => session.release()));
      if (host.device === "webgpu") await watchDevice(engine, loss);
      return new WebSession(host, named, loss, held);
    },
  };
}

async function createSession(
  { engine, device }: Loaded,
  given: Uint8Array,
  { optimize = true, arena = true, stays = [] }: SessionOptions,
): Promise<InferenceSession> {
  const gaps = device === "webgpu" ? (await import("./webgpu-gaps.ts")).findWebgpuGaps(given) : undefined;
  return engine.InferenceSession.create(gaps?.model ?? given, {
    // An empty list of names is refused.
    executionProviders: [gaps?.names.length ? { name: "webgpu", forceCpuNodeNames: gaps.names } : device],
    graphOptimizationLevel: optimize ? "all" : "disabled",
    enableCpuMemArena: arena,
    enableMemPattern: arena,
    logSeverityLevel: 3,
    // Where it is given, runs bind inputs and outputs, which takes longer.
    ...(device === "webgpu" &&
      stays.length > 0 && {
        preferredOutputLocation: Object.fromEntries(stays.map((name) => [name, "gpu-buffer"] as const)),
      }),
  });
}

async function loadOnce(device: WebDevice, options: WebRuntimeOptions): Promise<Loaded> {
  const loading = loaded.get(device) ?? load(device, options);
  loaded.set(device, loading);
  return loading.catch((cause) => {
    loaded.delete(device);
    throw cause;
  });
}

async function load(device: WebDevice, { threads: wanted, wasmPaths }: WebRuntimeOptions): Promise<Loaded> {
  const engine = await importEngine(device);
  const threads = wanted ?? defaultThreads();
  engine.env.wasm.numThreads = threads;
  if (wasmPaths !== undefined) engine.env.wasm.wasmPaths = wasmPaths;
  return { engine, device, threads, queue: new Queue() };
}

async function importEngine(device: WebDevice): Promise<Engine> {
  try {
    if (device === "wasm") return await import("onnxruntime-web/wasm");
    // The smaller build, where WebAssembly can wait for promises by itself.
    return page.WebAssembly?.Suspending
      ? await import("onnxruntime-web/jspi")
      : await import("onnxruntime-web/webgpu");
  } catch (cause) {
    throw new DeviceError(
      "The runtime of pages needs the package onnxruntime-web, which could not be loaded: " +
        `${cause instanceof Error ? cause.message : String(cause)}. Install it beside forwardgrad ` +
        "(npm install onnxruntime-web), and let the bundler serve its .wasm and .mjs files.",
      { device, cause },
    );
  }
}

function defaultThreads(): number {
  const cores = page.navigator?.hardwareConcurrency ?? 1;
  return page.crossOriginIsolated && cores >= 4 ? Math.floor(cores / 2) : 1;
}

async function requireWebgpu(): Promise<void> {
  const adapter = await page.navigator?.gpu?.requestAdapter();
  if (adapter) return;
  throw new DeviceError(
    words`The device webgpu cannot be used: ${
      page.navigator?.gpu
        ? "the browser finds no adapter"
        : "this browser, or a page that is not served by https, has no WebGPU"
    }. Use a browser and a graphics card that have it, or the CPU (${option("device", "wasm")}).`,
    { device: "webgpu" },
  );
}

/** Why the device is gone, once it is. */
interface DeviceLoss {
  reason?: string;
  device?: GraphicsDevice;
  /** Ends what waits for the device. */
  readonly waiting: Set<() => void>;
}

/** Does what waits for the device, which would never end once it is gone. @throws DeviceError then */
function unlessLost(loss: DeviceLoss): WhileThere {
  return async (work) => {
    try {
      return await new Promise((resolve, reject) => {
        const end = () => reject(explained(loss, undefined));
        if (loss.reason !== undefined) return end();
        loss.waiting.add(end);
        work()
          .then(resolve, reject)
          .finally(() => loss.waiting.delete(end));
      });
    } catch (cause) {
      // What failed may be heard of before the reason is.
      await Promise.race([loss.device?.lost, afterMessages()]);
      throw explained(loss, cause);
    }
  };
}

/** The engine makes a device with its first session, and destroys it with the last one: that is no loss. */
async function watchDevice(engine: Engine, loss: DeviceLoss): Promise<void> {
  const device = (await engine.env.webgpu.device) as GraphicsDevice | undefined;
  if (device === loss.device) return;
  loss.device = device;
  loss.reason = undefined;
  void device?.lost?.then(({ message, reason }) => {
    if (reason === "destroyed" || loss.device !== device) return;
    loss.reason = message || "no reason given";
    for (const end of loss.waiting) end();
  });
}

/** Runs one piece of work after the other, and lets the page have its turn between them. */
class Queue {
  #last: Promise<unknown> = Promise.resolve();
  readonly #giveWay = pacemaker(30);

  add<Result>(work: () => Promise<Result>): Promise<Result> {
    const next = this.#last.then(this.#giveWay).then(work);
    this.#last = next.catch(() => undefined);
    return next;
  }
}

const wrapped =
  ({ Tensor: Wrapped }: Engine) =>
  ({ dtype, data, shape }: Tensor): EngineTensor =>
    new Wrapped(dtype as "float32", data as Float32Array, shape);

class WebSession implements Session {
  readonly outputTypes: Readonly<Record<string, DType>>;
  readonly #host: Loaded;
  readonly #session: InferenceSession;
  readonly #names: OutputNames;
  readonly #loss: DeviceLoss;
  readonly #wrap: (tensor: Tensor) => EngineTensor;
  readonly #held: HeldTensors<EngineTensor>;
  /** Whether what is fed leaves the program's memory for that of what is held. */
  readonly #crosses: boolean;

  constructor(
    host: Loaded,
    { session, names }: NamedSession<InferenceSession>,
    loss: DeviceLoss,
    held: HeldTensors<EngineTensor>,
  ) {
    this.#host = host;
    this.#held = held;
    this.#crosses = !held.isApart || host.device === "webgpu";
    this.#session = session;
    this.#names = names;
    this.#loss = loss;
    this.#wrap = wrappedOnce(wrapped(host.engine));
    this.outputTypes = names.typesOf(session);
  }

  async run(feeds: Tensors, fetches?: readonly string[] | Tensors): Promise<Record<string, Tensor>> {
    const held = this.#held;
    const given = fetches && !isNames(fetches) ? fetches : undefined;
    const wanted = given ? Object.keys(given) : (fetches as readonly string[] | undefined);
    const names = wanted?.map((name) => this.#names.inner(name)) ?? this.#session.outputNames;
    const inputs = fedInputs(this.#session, await this.#here(feeds), (tensor) => {
      if (this.#crosses) held.count("up", [tensor]);
      return held.holds(tensor) ? held.engineTensorOf(tensor) : this.#wrap(tensor);
    });
    const results = await this.#unlessLost(() => this.#session.run(inputs, names));
    const outputs: Record<string, Tensor> = {};
    for (const inner of names) {
      const name = this.#names.outer(inner);
      const result = results[inner] as EngineTensor;
      const target = given && own(given, name);
      outputs[name] = await this.#received(name, result, target);
    }
    return outputs;
  }

  /** The feeds, where this session's engine finds them: that of double precision has no device. */
  async #here(feeds: Tensors): Promise<Tensors> {
    if (this.#host.device === "webgpu" || !this.#held.isApart) return feeds;
    const all = Object.entries(feeds).map(async ([name, tensor]) => {
      if (!this.#held.holds(tensor)) return [name, tensor] as const;
      const { dtype, shape } = tensor;
      return [name, { dtype, shape, data: await this.#held.read(tensor) }] as const;
    });
    return Object.fromEntries(await Promise.all(all));
  }

  async #received(name: string, result: EngineTensor, target: Tensor | undefined): Promise<Tensor> {
    refuseStrings(name, result);
    const isAway = result.location === "gpu-buffer";
    if (target && this.#held.holds(target)) {
      const isStored = isAway || !this.#held.isApart;
      this.#held.replace(name, target, isStored ? { stored: result } : { numbers: unwrap(name, result) });
      return target;
    }
    if (isAway) await this.#unlessLost(() => result.getData(true));
    const tensor = unwrap(name, result);
    if (this.#crosses) this.#held.count("down", [tensor]);
    return target ? written(name, tensor, target) : tensor;
  }

  async release(): Promise<void> {
    await this.#host.queue.add(() => this.#session.release());
  }

  /** In the engine's turn. */
  #unlessLost<Result>(work: () => Promise<Result>): Promise<Result> {
    const { queue, device } = this.#host;
    return queue.add(device === "webgpu" ? () => unlessLost(this.#loss)(work) : work);
  }
}

function explained({ reason }: DeviceLoss, cause: unknown): unknown {
  if (reason === undefined || cause instanceof DeviceError) return cause;
  return new DeviceError(
    words`The graphics device was lost (${reason}), and with it this run's step. What was saved stays: reload the page, and resume the run,
      there or on the CPU (${option("device", "wasm")}).`,
    { device: "webgpu", cause },
  );
}

/** Outputs given as tensors in memory come back as zeros (onnxruntime-web 1.30), so they are fetched and copied. */
function written(name: string, result: Tensor, target: Tensor): Tensor {
  if (target.dtype !== result.dtype || target.data.length !== result.data.length) {
    throw new ModelError(
      `The output '${name}' is ${result.dtype} ${formatShape(result.shape)}; the tensor to write it into is ` +
        `${target.dtype} ${formatShape(target.shape)}.`,
    );
  }
  target.data.set(result.data as never);
  return target;
}

function unwrap(name: string, result: EngineTensor): Tensor {
  refuseStrings(name, result);
  const data = result.data as TensorData;
  const isHalf = result.type === "float16";
  // Browsers that know half precision have arrays of it; here its bits are held.
  const numbers = isHalf ? new Uint16Array(data.buffer, data.byteOffset, result.size) : data;
  return { dtype: result.type as DType, shape: result.dims, data: numbers };
}
