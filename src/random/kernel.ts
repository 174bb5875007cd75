import { kernelBase64 } from "./kernel.generated.ts";

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
  setJob(
    job: number,
    kind: number,
    key0: number,
    key1: number,
    low: number,
    high: number,
    count: number,
    scale: number,
  ): void;
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
  }) => { readonly buffer: SharedArrayBuffer };
  readonly Instance: new (
    module: object,
    imports: { env: { memory: object } },
  ) => { readonly exports: Functions };
}

/** The kernel with a memory of its own. */
export interface Kernel extends Functions {
  readonly module: object;
  readonly memory: object;
  readonly floats: Float32Array;
}

/**
 * Makes a kernel with room for this many threads. Its memory is shared even for one: there is one module for both, and
 * engines allow such a memory where threads are not.
 *
 * @throws where there is no WebAssembly with vectors and shared memory
 */
export function createKernel(threads: number): Kernel {
  const engine = (globalThis as { WebAssembly?: Engine }).WebAssembly;
  try {
    if (!engine) throw new Error("there is no WebAssembly");
    const module = compile(engine);
    // As kernel/jobs.ts lays it out.
    const pages = 1 + 2 * threads;
    const memory = new engine.Memory({ initial: pages, maximum: pages, shared: true });
    const { exports } = new engine.Instance(module, { env: { memory } });
    return { ...exports, module, memory, floats: new Float32Array(memory.buffer) };
  } catch (error) {
    throw new Error(
      "Random numbers are drawn by a WebAssembly module with vectors (SIMD) and shared memory, and this engine does not run " +
        `it: ${error instanceof Error ? error.message : error}. Use Node 20 or newer, or a browser of 2023 or newer; ` +
        "Node's flags --jitless and --disable-wasm-* turn it off.",
      { cause: error },
    );
  }
}

let compiled: object | undefined;

/** The module, compiled at the first call: it has no state, and kernels share it. */
function compile(engine: Engine): object {
  compiled ??= new engine.Module(Uint8Array.from(atob(kernelBase64), (char) => char.charCodeAt(0)));
  return compiled;
}
