/** The WebAssembly module that makes random numbers. */
import { DeviceError } from "../errors/errors.ts";
import { kernelBase64, sharedFlagAt } from "./kernel.generated.ts";

/** The numbers by which the kernel knows its distributions. */
export const distributions = { words: 0, uniform: 1, normal: 2, rademacher: 3 } as const;

/**
 * Kinds of numbers: pairs of 32-bit words as they come, uniform in [0, 1), standard normal, fair signs ±1.
 */
export type Distribution = keyof typeof distributions;

/** The functions of the WebAssembly module; src/random/kernel/ describes them. Places are bytes in its memory. */
interface Functions {
  readonly chunkNumbers: { readonly value: number };
  readonly jobLimit: { readonly value: number };
  readonly jobsAt: { readonly value: number };
  drawJob(job: number): number;
  openRound(count: number): void;
  closeRounds(): void;
  claimJob(): number;
  finishedJob(thread: number): number;
  slotOf(thread: number): number;
  freeSlot(thread: number): void;
}

/** As much of WebAssembly as is used here, because neither Node's types nor ES2023's declare it. */
interface Engine {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Memory: new (size: {
    initial: number;
    maximum: number;
    shared: boolean;
  }) => { readonly buffer: ArrayBuffer };
  readonly Instance: new (
    module: object,
    imports: { env: { memory: object } },
  ) => { readonly exports: Functions };
}

/** The kernel with a memory of its own. */
export interface Kernel extends Functions {
  readonly module: object;
  readonly memory: object;
  /** Its memory, as numbers and as whole numbers. */
  readonly floats: Float32Array;
  readonly ints: Int32Array;
}

/**
 * Makes a kernel that draws on the calling thread; or, given a number of threads, one whose memory they share.
 *
 * @throws where there is no WebAssembly with vectors, or no shared memory where one is wanted
 */
export function createKernel(threads?: number): Kernel {
  const engine = (globalThis as unknown as { WebAssembly?: Engine }).WebAssembly;
  try {
    if (!engine) throw new Error("there is no WebAssembly");
    const shared = threads !== undefined;
    const module = compile(engine, shared);
    // As kernel/jobs.ts lays it out.
    const pages = 1 + 2 * (threads ?? 1);
    const memory = new engine.Memory({ initial: pages, maximum: pages, shared });
    const { exports } = new engine.Instance(module, { env: { memory } });
    const { buffer } = memory;
    return { ...exports, module, memory, floats: new Float32Array(buffer), ints: new Int32Array(buffer) };
  } catch (error) {
    throw new DeviceError(
      "Random numbers are drawn by a WebAssembly module with vectors (SIMD), and this engine does not run it: " +
        `${error instanceof Error ? error.message : error}. Use Node 20 or newer, without --jitless, or a browser from 2023 on.`,
      { cause: error },
    );
  }
}

const compiled: { alone?: object; shared?: object } = {};

/** The module for either kind of memory, compiled at the first call: it has no state, and kernels share it. */
function compile(engine: Engine, shared: boolean): object {
  const kind = shared ? "shared" : "alone";
  const known = compiled[kind];
  if (known) return known;
  const bytes = Uint8Array.from(atob(kernelBase64), (char) => char.charCodeAt(0));
  // Engines copy from shared memory word by word, at a third of the speed.
  if (!shared) bytes[sharedFlagAt] = 1;
  const module = new engine.Module(bytes);
  compiled[kind] = module;
  return module;
}
