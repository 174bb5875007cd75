/** How threads share the work of drawing. */
import { chunkNumbers, draw, jobBytes, workspaceBytes } from "./draw";

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
/** Where the jobs of a round are described: draw.ts says how. */
export const jobsAt: i32 = 32768;
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
const ownJobAt: usize = 192;
const workspaceAt: usize = 1024;
const slotsAt: usize = workspaceAt + workspaceBytes;
const slotBytes: usize = 4 * <usize>chunkNumbers;
const threadBytes: usize = 2 * 65536;

function jobAddress(job: i32): usize {
  return <usize>jobsAt + <usize>job * jobBytes;
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
  const out = threadsAt + slotsAt;
  draw(jobAddress(job), out, threadsAt + workspaceAt);
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

/**
 * What another thread does until the rounds are closed. Nothing but addresses is kept in variables from one step to the
 * next: the code that V8 makes first (Liftoff, in Node 20) loses a float32 variable when the thread waits.
 */
export function serve(thread: i32): void {
  const own = threadsAt + <usize>thread * threadBytes;
  while (true) {
    const open = atomic.load<i32>(openAt);
    if (open === closed) return;
    if ((open & countMask) === 0) atomic.wait<i32>(openAt, open, -1);
    else if (isFree(own)) drawNext(own, open);
  }
}

/** Claims the next job of the round and draws it. */
function drawNext(own: usize, open: i32): void {
  memory.copy(own + ownJobAt, jobAddress((open & countMask) - 1), jobBytes);
  if (atomic.cmpxchg<i32>(openAt, open, open - 1) !== open) return;
  const published = atomic.load<i32>(own + publishedAt);
  const slot = <usize>(published & slotMask);
  draw(own + ownJobAt, own + slotsAt + slot * slotBytes, own + workspaceAt);
  store<i32>(own + tagsAt + 4 * slot, open);
  atomic.store<i32>(own + publishedAt, published + 1);
}

/** Whether a slot is free. The main thread frees one within the time of a job; if not, sleep a millisecond. */
function isFree(own: usize): bool {
  for (let tries = 0; tries < 10_000; tries++) {
    const taken = atomic.load<i32>(own + takenAt);
    if (atomic.load<i32>(own + publishedAt) - taken < slotCount) return true;
  }
  atomic.wait<i32>(own + takenAt, atomic.load<i32>(own + takenAt), 1_000_000);
  return false;
}
