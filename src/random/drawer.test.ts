import { afterEach, describe, expect, it, vi } from "vitest";
import { nodeRuntime } from "../runtime/node.ts";
import { createDrawer, type Draw, type Drawer, type ThreadHost } from "./drawer.ts";
import { fillNormal } from "./normal.ts";
import { fillRademacher } from "./rademacher.ts";
import { fold, keyFromSeed } from "./threefry.ts";
import { fillUniform } from "./uniform.ts";

const key = keyFromSeed(21);
const startThread = nodeRuntime({ threads: 2 }).startThread;

const single = { normal: fillNormal, uniform: fillUniform, rademacher: fillRademacher };

afterEach(() => vi.unstubAllGlobals());

/** Ranges of several streams, more than enough for other threads, that begin and end anywhere. */
function ranges(step: number): (Omit<Draw, "fill"> & { readonly fill: keyof typeof single })[] {
  const fills = ["normal", "uniform", "normal", "rademacher"] as const;
  return Array.from({ length: 40 }, (_, index) => ({
    fill: fills[index % 4] as keyof typeof single,
    key: fold(fold(key, step), index),
    start: index < 20 ? 777 * index : 2 ** 33 - 5000 * index,
    out: new Float32Array(10 + ((index * 7919) % 20_000)),
    scale: index % 3 === 0 ? 0.25 : 1,
  }));
}

/** Draws ranges, and holds each to what one call on the calling thread writes. */
function check(drawer: Drawer, step: number): void {
  const draws = ranges(step);
  drawer.draw(draws);
  for (const { fill, key: stream, start, out, scale } of draws) {
    const expected = new Float32Array(out.length);
    single[fill](stream, start, expected, scale);
    // Bytes, because a comparison of values takes longer and calls 0 and −0 different.
    expect(Buffer.compare(Buffer.from(out.buffer), Buffer.from(expected.buffer)), `${fill} ${start}`).toBe(0);
  }
}

/** A host that shows the memories that its threads get. */
function watched(threads: number): { host: ThreadHost; memories: { buffer: ArrayBuffer }[] } {
  const memories: { buffer: ArrayBuffer }[] = [];
  const host: ThreadHost = {
    threads,
    startThread(module, memory, index) {
      memories.push(memory as { buffer: ArrayBuffer });
      return startThread?.(module, memory, index) ?? { async stop() {} };
    },
  };
  return { host, memories };
}

/** Whether a thread has finished jobs: the first word of its two pages, behind one page and the calling thread's two. */
function hasWorked(memory: { buffer: ArrayBuffer } | undefined, thread: number): boolean {
  return memory !== undefined && new Int32Array(memory.buffer, (1 + 2 * thread) * 65536)[0] !== 0;
}

describe("createDrawer", () => {
  it("draws the same bytes on one thread as one call for each array", () => {
    check(createDrawer(), 0);
  });

  // A fault of V8's first code came out in one piece of a thousand, while threads wait for each other.
  it.each([2, 3, 4])("draws the same bytes on %i threads, all of which take part", async (threads) => {
    const { host, memories } = watched(threads);
    const drawer = createDrawer(host);
    const all = Array.from({ length: threads - 1 }, (_, index) => index + 1);
    let step = 0;
    // Threads need a while to start.
    while (step < 20 || (step < 20_000 && !all.every((thread) => hasWorked(memories[0], thread)))) {
      check(drawer, step % 20);
      step++;
    }
    expect(memories.length).toBe(threads - 1);
    for (const thread of all) expect(hasWorked(memories[0], thread), `thread ${thread}`).toBe(true);
    await drawer.release();
  });

  it("uses at most four threads, and none for few numbers or signs", async () => {
    const { host, memories } = watched(64);
    const drawer = createDrawer(host);
    drawer.draw([{ fill: "normal", key, start: 0, out: new Float32Array(1000) }]);
    drawer.draw([{ fill: "rademacher", key, start: 0, out: new Float32Array(1_000_000) }]);
    expect(memories.length).toBe(0);
    check(drawer, 0);
    expect(memories.length).toBe(3);
    await drawer.release();
  });

  it("does not wait for threads that never run", async () => {
    const drawer = createDrawer({ threads: 3, startThread: () => ({ async stop() {} }) });
    for (let step = 0; step < 3; step++) check(drawer, step);
    await drawer.release();
  });

  it("does not wait for threads that are ended in the middle", async () => {
    for (let delay = 0; delay < 6; delay++) {
      const stops: (() => Promise<void>)[] = [];
      const drawer = createDrawer({
        threads: 2,
        startThread(...thread) {
          const started = startThread?.(...thread);
          if (started) stops.push(started.stop);
          return { async stop() {} };
        },
      });
      check(drawer, delay);
      // The thread starts meanwhile.
      await new Promise((resolve) => setTimeout(resolve, 20 * delay));
      const ended = stops[0]?.();
      for (let step = 0; step < 4; step++) check(drawer, step);
      await ended;
      check(drawer, 5);
      await drawer.release();
    }
  });

  it("draws alone where a thread or shared memory is refused", async () => {
    const refusing = createDrawer({
      threads: 2,
      startThread() {
        throw new Error("no threads here");
      },
    });
    check(refusing, 0);
    const { host, memories } = watched(2);
    const drawer = createDrawer(host);
    const { Module, Instance } = (globalThis as unknown as { WebAssembly: Record<string, unknown> })
      .WebAssembly;
    vi.stubGlobal("WebAssembly", {
      Module,
      Instance,
      Memory: class {
        constructor() {
          throw new Error("no shared memory here");
        }
      },
    });
    check(drawer, 1);
    expect(memories.length).toBe(0);
    await Promise.all([refusing.release(), drawer.release()]);
  });

  it("goes on without threads after release, which may be repeated", async () => {
    const { host, memories } = watched(2);
    const drawer = createDrawer(host);
    check(drawer, 0);
    await drawer.release();
    await drawer.release();
    check(drawer, 1);
    expect(memories.length).toBe(1);
  });

  it("goes on after an array that cannot be written", async () => {
    const { host } = watched(2);
    const drawer = createDrawer(host);
    check(drawer, 0);
    const out = new Float32Array(1_000_000);
    structuredClone(out.buffer, { transfer: [out.buffer] });
    const gone = { length: 1_000_000, set: () => out.set([1]) } as unknown as Float32Array;
    expect(() => drawer.draw([{ fill: "normal", key, start: 0, out: gone }])).toThrow();
    for (let step = 0; step < 3; step++) check(drawer, step);
    await drawer.release();
  });

  it("calls a function on the calling thread", () => {
    const out = new Float32Array(5);
    createDrawer().draw([
      { fill: (_key, start, into, scale = 1) => void into.fill(start * scale), key, start: 3, out, scale: 2 },
    ]);
    expect([...out]).toEqual([6, 6, 6, 6, 6]);
  });

  it("says what is missing where there is no WebAssembly", () => {
    vi.stubGlobal("WebAssembly", undefined);
    expect(() => createDrawer()).toThrow(
      "Random numbers are drawn by a WebAssembly module with vectors (SIMD), and this engine does not run it: there is no " +
        "WebAssembly. Use Node 20 or newer, without --jitless",
    );
  });
});
