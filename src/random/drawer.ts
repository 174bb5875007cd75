import { createKernel, type Distribution, distributions, type Kernel } from "./kernel.ts";
import type { Key } from "./threefry.ts";

/** Writes the numbers `start`, `start + 1`, … of the stream `key`, times `scale`. */
export type Fill = (key: Key, start: number, out: Float32Array, scale?: number) => void;

/** A range of a stream that is to be drawn into an array. */
export interface Draw {
  /** What is drawn: a distribution, or a function that draws it on the calling thread. */
  readonly fill: Distribution | Fill;
  readonly key: Key;
  /** Place in the stream of the first number, below 2⁵³. */
  readonly start: number;
  readonly out: Float32Array;
  /** Factor of the numbers, rounded to float32; default 1. Words and uniform numbers have none. */
  readonly scale?: number;
}

/** Draws random numbers, on several threads where it has them. */
export interface Drawer {
  /** Fills all arrays. The bytes depend on each range's stream and place alone. */
  draw(draws: readonly Draw[]): void;
  /** Ends the other threads; drawing goes on without them. */
  release(): Promise<void>;
}

/** Where a drawer's threads come from; every runtime is one. */
export interface ThreadHost {
  /** Threads in use at once, the calling one included. */
  readonly threads: number;
  /**
   * Starts a thread that makes an instance of this WebAssembly module with `env.memory`, and calls its export
   * `serve(index)`, which returns when the thread is to end. The thread must not keep the process alive.
   */
  startThread?(module: object, memory: object, index: number): { stop(): Promise<void> };
}

/** Fewer numbers than this are drawn at once before another thread would have woken up: about 0.1 ms. */
const sharedFrom = 2 ** 16;
/** Beyond, the calling thread could not copy what the others draw. */
const mostThreads = 4;

/** Without a host all is drawn on the calling thread. Threads start when there is something for them. */
export function createDrawer(host?: ThreadHost): Drawer {
  const count = host?.startThread ? Math.min(host.threads, mostThreads) : 1;
  const kernel = createKernel(count);
  let threads: { stop(): Promise<void> }[] | undefined;
  let isReleased = false;
  const startThreads = () => {
    threads = [];
    for (let index = 1; index < count; index++) {
      const thread = start(host, kernel, index);
      if (!thread) break;
      threads.push(thread);
    }
    return threads;
  };
  return {
    draw(draws) {
      const total = draws.reduce((sum, { out }) => sum + out.length, 0);
      const others = isReleased || count === 1 || total < sharedFrom ? 0 : (threads ?? startThreads()).length;
      const pieces: Piece[] = [];
      for (const draw of draws) {
        if (typeof draw.fill === "function") draw.fill(draw.key, draw.start, draw.out, draw.scale);
        else cut(kernel, draw, draw.fill, pieces, others);
      }
      drawPieces(kernel, pieces, others);
    },
    async release() {
      isReleased = true;
      kernel.closeRounds();
      await Promise.all((threads ?? []).map((thread) => thread.stop()));
    },
  };
}

/** A thread; undefined where the host refuses, because the others draw the same numbers without it. */
function start(host: ThreadHost | undefined, { module, memory }: Kernel, index: number) {
  try {
    return host?.startThread?.(module, memory, index);
  } catch {
    return undefined;
  }
}

let single: Drawer | undefined;

/** Draws on the calling thread alone. Its kernel is made at the first call, and keeps nothing from one to the next. */
export const callingThread: Drawer = {
  draw(draws) {
    single ??= createDrawer();
    single.draw(draws);
  },
  async release() {},
};

/** Fills one array on the calling thread. */
export function drawRange(fill: Distribution, key: Key, start: number, out: Float32Array, scale = 1): void {
  callingThread.draw([{ fill, key, start, out, scale }]);
}

/** What the kernel draws as one job: numbers of which the first `skip` are not wanted, the others go to `place`. */
interface Piece {
  readonly out: Float32Array;
  readonly place: number;
  readonly skip: number;
  readonly length: number;
  isDone: boolean;
}

/**
 * Cuts a range at the kernel's chunks, and sets a job for each. Jobs begin at whole blocks of 16 counters, which hold two
 * numbers each, or 64 signs. Full rounds are drawn at once, so that `pieces` is left with less.
 */
function cut(kernel: Kernel, draw: Draw, distribution: Distribution, pieces: Piece[], others: number): void {
  const { key, start, out, scale = 1 } = draw;
  const chunk = kernel.chunkNumbers.value;
  const perCounter = distribution === "rademacher" ? 64 : 2;
  const end = start + out.length;
  for (let from = start; from < end; ) {
    const to = Math.min(end, from - (from % chunk) + chunk);
    const skip = from % (16 * perCounter);
    const counter = (from - skip) / perCounter;
    kernel.setJob(
      pieces.length,
      distributions[distribution],
      key[0],
      key[1],
      counter % 2 ** 32,
      Math.floor(counter / 2 ** 32),
      to - from + skip,
      scale,
    );
    pieces.push({ out, place: from - start, skip, length: to - from, isDone: false });
    from = to;
    if (pieces.length === kernel.jobLimit.value) drawPieces(kernel, pieces, others);
  }
}

/** Draws the jobs that were set, and empties their list. */
function drawPieces(kernel: Kernel, pieces: Piece[], others: number): void {
  if (others === 0 || pieces.length === 1)
    for (const [job, piece] of pieces.entries()) copy(kernel, piece, kernel.drawJob(job));
  else drawRound(kernel, pieces, others);
  pieces.length = 0;
}

/** Draws the jobs together with the other threads; src/random/kernel/jobs.ts says how. */
function drawRound(kernel: Kernel, pieces: readonly Piece[], others: number): void {
  let left = pieces.length;
  const finish = (job: number, address: number) => {
    const piece = pieces[job];
    if (!piece || piece.isDone) return;
    copy(kernel, piece, address);
    piece.isDone = true;
    left--;
  };
  kernel.openRound(pieces.length);
  while (left > 0) {
    for (let thread = 1; thread <= others; thread++)
      for (let job = kernel.finishedJob(thread); job >= 0; job = kernel.finishedJob(thread)) {
        finish(job, kernel.slotOf(thread));
        kernel.freeSlot(thread);
      }
    const claimed = kernel.claimJob();
    const job = claimed >= 0 ? claimed : pieces.findIndex(({ isDone }) => !isDone);
    if (job >= 0) finish(job, kernel.drawJob(job));
  }
}

function copy({ floats }: Kernel, { out, place, skip, length }: Piece, address: number): void {
  const first = address / 4 + skip;
  out.set(floats.subarray(first, first + length), place);
}
