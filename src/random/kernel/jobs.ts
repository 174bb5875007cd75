import { chunkNumbers, draw } from "./draw";
import { workspaceBytes } from "./threefry";

/**
 * How threads share the work: the main thread lists the jobs of a round, each one chunk, and opens it. It and the other
 * threads claim job after job. The others leave their numbers in slots of their own, from which the main thread copies
 * them; it never waits: when all jobs are claimed, it draws the missing ones itself. So a thread that is slow, has not
 * started yet or is gone costs time, and nothing else, because every job is a pure function of its fields.
 *
 * One word says it all: the round in the upper bits, and the number of unclaimed jobs in the lower ones. A claim counts
 * it down, with a compare-and-exchange that fails when the round is over; a job's fields were then read in vain.
 */
const openAt: usize = 16384;
const jobsAt: usize = 32768;
const jobBytes: usize = 32;
const countBits = 11;
const countMask = (1 << countBits) - 1;
/** What the word says when the threads have to end. */
const closed = -1;

/** The most jobs of one round. */
export const jobLimit: i32 = 1024;

/** Each thread's own part of the memory, two pages; the main thread is number 0. */
const threadsAt: usize = 65536;
const slotCount = 4;
const slotMask = slotCount - 1;
const publishedAt: usize = 0;
const takenAt: usize = 64;
const tagsAt: usize = 128;
const workspaceAt: usize = 1024;
const slotsAt: usize = workspaceAt + <usize>workspaceBytes;
const slotBytes: usize = 4 * <usize>chunkNumbers;
const threadBytes: usize = 2 * 65536;

/** Describes a job of the next round; the fields are those of `draw`. */
export function setJob(
  job: i32,
  kind: i32,
  key0: i32,
  key1: i32,
  low: i32,
  high: i32,
  count: i32,
  scale: f32,
): void {
  const place = jobsAt + <usize>job * jobBytes;
  store<i32>(place, kind);
  store<i32>(place, key0, 4);
  store<i32>(place, key1, 8);
  store<i32>(place, low, 12);
  store<i32>(place, high, 16);
  store<i32>(place, count, 20);
  store<f32>(place, scale, 24);
}

/** Opens a round of this many jobs, and wakes the other threads. */
export function openRound(count: i32): void {
  // Bit 31 stays 0: no round looks like the end.
  const round = ((atomic.load<i32>(openAt) >> countBits) + 1) & 0xfffff;
  atomic.store<i32>(openAt, (round << countBits) | count);
  atomic.notify(openAt, -1);
}

/** Ends the other threads. */
export function closeRounds(): void {
  atomic.store<i32>(openAt, closed);
  atomic.notify(openAt, -1);
}

/** The next job, which is now the caller's; −1 when all are claimed. */
export function claimJob(): i32 {
  while (true) {
    const open = atomic.load<i32>(openAt);
    if (open === closed || (open & countMask) === 0) return -1;
    if (atomic.cmpxchg<i32>(openAt, open, open - 1) === open) return (open & countMask) - 1;
  }
}

/** Draws a job on the main thread. Returns where the numbers are. */
export function drawJob(job: i32): usize {
  const place = jobsAt + <usize>job * jobBytes;
  const out = threadsAt + slotsAt;
  draw(
    load<i32>(place),
    load<i32>(place, 4),
    load<i32>(place, 8),
    load<i32>(place, 12),
    load<i32>(place, 16),
    load<i32>(place, 20),
    load<f32>(place, 24),
    out,
    threadsAt + workspaceAt,
  );
  return out;
}

/** A job of this round that another thread has finished, whose numbers are at `slotOf` until `freeSlot`; or −1. */
export function finishedJob(thread: i32): i32 {
  const own = threadsAt + <usize>thread * threadBytes;
  const round = atomic.load<i32>(openAt) >> countBits;
  while (true) {
    const taken = atomic.load<i32>(own + takenAt);
    if (taken === atomic.load<i32>(own + publishedAt)) return -1;
    const tag = load<i32>(own + tagsAt + ((taken & slotMask) << 2));
    if (tag >> countBits === round) return (tag & countMask) - 1;
    freeSlot(thread);
  }
}

/** Where the numbers of the job are that `finishedJob` returned. */
export function slotOf(thread: i32): usize {
  const own = threadsAt + <usize>thread * threadBytes;
  return own + slotsAt + <usize>(atomic.load<i32>(own + takenAt) & slotMask) * slotBytes;
}

/** Gives the slot back to its thread. */
export function freeSlot(thread: i32): void {
  atomic.add<i32>(threadsAt + <usize>thread * threadBytes + takenAt, 1);
}

/** What another thread does until the rounds are closed. */
export function serve(thread: i32): void {
  const own = threadsAt + <usize>thread * threadBytes;
  while (true) {
    const open = atomic.load<i32>(openAt);
    if (open === closed) return;
    const count = open & countMask;
    if (count === 0) {
      atomic.wait<i32>(openAt, open, -1);
      continue;
    }
    const place = jobsAt + <usize>(count - 1) * jobBytes;
    const kind = load<i32>(place);
    const key0 = load<i32>(place, 4);
    const key1 = load<i32>(place, 8);
    const low = load<i32>(place, 12);
    const high = load<i32>(place, 16);
    const numbers = load<i32>(place, 20);
    const scale = load<f32>(place, 24);
    if (atomic.cmpxchg<i32>(openAt, open, open - 1) !== open) continue;
    const published = atomic.load<i32>(own + publishedAt);
    waitForSlot(own, published);
    if (atomic.load<i32>(openAt) === closed) return;
    const slot = published & slotMask;
    draw(
      kind,
      key0,
      key1,
      low,
      high,
      numbers,
      scale,
      own + slotsAt + <usize>slot * slotBytes,
      own + workspaceAt,
    );
    store<i32>(own + tagsAt + (slot << 2), open);
    atomic.store<i32>(own + publishedAt, published + 1);
  }
}

/** The main thread frees a slot within the time of one job, unless something keeps it: then sleep a millisecond at a time. */
function waitForSlot(own: usize, published: i32): void {
  let tries = 0;
  while (true) {
    const taken = atomic.load<i32>(own + takenAt);
    if (published - taken < slotCount || atomic.load<i32>(openAt) === closed) return;
    if (++tries > 10_000) atomic.wait<i32>(own + takenAt, taken, 1_000_000);
  }
}
