/** Draws a job: one chunk of a stream as words, uniform or normal numbers, or signs. */
import { makeNormal, makeSigns, makeUniform, orderWords } from "./numbers";
import { drawWords } from "./threefry";

/** Numbers of one chunk, the most that one call draws: small enough for a core's first cache. */
export const chunkNumbers: i32 = 4096;

/** Kinds of numbers, as ../kernel.ts names them; words are the rest. */
const uniformKind = 1;
const normalKind = 2;
const signKind = 3;

/** Bytes of a job: what is to be drawn. */
export const jobBytes: usize = 32;
const kindAt: usize = 0;
const key0At: usize = 4;
const key1At: usize = 8;
/** The first counter, a multiple of 16; the counters of one job do not go beyond its low word. */
const lowAt: usize = 12;
const highAt: usize = 16;
/** Numbers, at most `chunkNumbers`. */
const countAt: usize = 20;
/** A float32. It stays in memory, where an engine cannot lose it: jobs.ts. */
const scaleAt: usize = 24;

/** Bytes that each thread needs for itself while it draws. */
export const workspaceBytes: usize = 1024;
const scheduleAt: usize = 0;
const wordsAt: usize = 64;

/** Draws whole blocks of one stream: 32 numbers of 16 counters each, or 1024 signs. */
export function draw(job: usize, out: usize, workspace: usize): void {
  const kind = load<i32>(job + kindAt);
  const count = load<i32>(job + countAt);
  const isSigns = kind === signKind;
  drawWords(
    load<i32>(job + key0At),
    load<i32>(job + key1At),
    load<i32>(job + lowAt),
    load<i32>(job + highAt),
    isSigns ? (count + 63) >> 6 : (count + 1) >> 1,
    isSigns ? workspace + wordsAt : out,
    workspace + scheduleAt,
  );
  if (isSigns) {
    makeSigns(workspace + wordsAt, (count + 255) & ~255, job + scaleAt, out);
    return;
  }
  const bytes = (<usize>((count + 31) & ~31)) << 2;
  if (kind === normalKind) makeNormal(out, bytes, job + scaleAt);
  else if (kind === uniformKind) makeUniform(out, bytes);
  else orderWords(out, bytes);
}
