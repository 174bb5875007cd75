/** Draws ranges of random streams, on the calling thread and any others. */
import { createKernel, type Distribution, distributions, type Kernel } from "./kernel.ts";
import type { Key } from "./threefry.ts";

/** Writes the numbers `start`, `start + 1`, … of the stream `key`, times `scale`. */
export type Fill = (key: Key, start: number, out: Float32Array, scale?: number) => void;

/** A range of a stream that is to be drawn into an array. */
export interface Draw {
  /** What is drawn: a distribution, or a function that draws it on the calling thread. */
  readonly fill: Distribution | Fill;
  /** The stream's key. */
  readonly key: Key;
  /** Place in the stream of the first number, below 2⁵³. */
  readonly start: number;
  /** Where the numbers go, [n]: as many as fit. */
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

/**
 * Without a host all is drawn on the calling thread. Threads start when there is something for them.
 *
 * @throws when the platform has no WebAssembly with vectors
 */
export function createDrawer(host?: ThreadHost): Drawer {
  const own = createKernel();
  let team = host?.startThread && host.threads > 1 ? undefined : noTeam;
  return {
    draw(draws) {
      // Signs are drawn as fast as they can be copied.
      const total = draws.reduce((sum, { fill, out }) => sum + (fill === "rademacher" ? 0 : out.length), 0);
      if (total >= sharedFrom) team ??= startTeam(host);
      const helpers = total >= sharedFrom ? (team ?? noTeam) : noTeam;
      const pieces: Piece[] = [];
      const finish = () => {
        if (helpers.kernel && pieces.length > 1)
          drawTogether(own, helpers.kernel, helpers.threads.length, pieces);
        else for (const piece of pieces) copy(own, piece, drawPiece(own, piece));
        pieces.length = 0;
      };
      for (const draw of draws) {
        if (typeof draw.fill === "function") draw.fill(draw.key, draw.start, draw.out, draw.scale);
        else
          cut(draw, draw.fill, own.chunkNumbers.value, (piece) => {
            pieces.push(piece);
            if (pieces.length === own.jobLimit.value) finish();
          });
      }
      finish();
    },
    async release() {
      const { kernel, threads } = team ?? noTeam;
      team = noTeam;
      kernel?.closeRounds();
      await Promise.all(threads.map((thread) => thread.stop()));
    },
  };
}

/** Threads beside the calling one, and the kernel whose memory they share. */
interface Team {
  readonly kernel?: Kernel;
  readonly threads: readonly { stop(): Promise<void> }[];
}

const noTeam: Team = { threads: [] };

function startTeam(host: ThreadHost | undefined): Team {
  const count = Math.min(host?.threads ?? 1, mostThreads);
  const threads: { stop(): Promise<void> }[] = [];
  try {
    const kernel = createKernel(count);
    for (let index = 1; index < count; index++) {
      const thread = host?.startThread?.(kernel.module, kernel.memory, index);
      if (thread) threads.push(thread);
    }
    return { kernel, threads };
  } catch {
    // The calling thread draws the same numbers without the others.
    return { threads };
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
  readonly draw: Draw;
  readonly kind: number;
  /** The first counter. */
  readonly counter: number;
  readonly skip: number;
  readonly length: number;
  readonly position: number;
  isDone: boolean;
}

/**
 * Cuts a range where the kernel's chunks meet. Jobs begin at whole blocks of 16 counters, which hold two numbers each, or
 * 64 signs.
 */
function cut(draw: Draw, distribution: Distribution, chunk: number, visit: (piece: Piece) => void): void {
  const { start, out } = draw;
  const kind = distributions[distribution];
  const perCounter = distribution === "rademacher" ? 64 : 2;
  const end = start + out.length;
  for (let from = start; from < end; ) {
    const to = Math.min(end, from - (from % chunk) + chunk);
    const skip = from % (16 * perCounter);
    const counter = (from - skip) / perCounter;
    visit({ draw, kind, counter, skip, length: to - from, position: from - start, isDone: false });
    from = to;
  }
}

/** Describes a piece as a job of the kernel's next round. */
function setJob(
  { ints, floats, jobsAt }: Kernel,
  job: number,
  { draw, kind, counter, skip, length }: Piece,
): void {
  const address = jobsAt.value / 4 + 8 * job;
  ints[address] = kind;
  ints[address + 1] = draw.key[0];
  ints[address + 2] = draw.key[1];
  ints[address + 3] = counter;
  ints[address + 4] = counter / 2 ** 32;
  ints[address + 5] = skip + length;
  floats[address + 6] = draw.scale ?? 1;
}

/** Draws a piece in the kernel's own memory. Returns where. */
function drawPiece(kernel: Kernel, piece: Piece): number {
  setJob(kernel, 0, piece);
  return kernel.drawJob(0);
}

function copy({ floats }: Kernel, { draw, skip, length, position }: Piece, address: number): void {
  const first = address / 4 + skip;
  draw.out.set(floats.subarray(first, first + length), position);
}

/** Draws pieces in turns with the other threads; kernel/jobs.ts says how. */
function drawTogether(own: Kernel, shared: Kernel, others: number, pieces: readonly Piece[]): void {
  let left = pieces.length;
  const finish = (kernel: Kernel, piece: Piece, address: number) => {
    copy(kernel, piece, address);
    piece.isDone = true;
    left--;
  };
  for (const [job, piece] of pieces.entries()) setJob(shared, job, piece);
  shared.openRound(pieces.length);
  try {
    while (left > 0) {
      for (let thread = 1; thread <= others; thread++)
        for (let job = shared.finishedJob(thread); job >= 0; job = shared.finishedJob(thread)) {
          const piece = pieces[job];
          if (piece && !piece.isDone) finish(shared, piece, shared.slotOf(thread));
          shared.freeSlot(thread);
        }
      const next = pieces[shared.claimJob()] ?? pieces.find(({ isDone }) => !isDone);
      if (next) finish(own, next, drawPiece(own, next));
    }
  } finally {
    // Where an array could not be written: jobs are described anew only when none can be claimed.
    while (shared.claimJob() >= 0);
  }
}
