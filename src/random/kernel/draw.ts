import { makeNormal, makeSigns, makeUniform, orderWords } from "./numbers";
import { drawWords } from "./threefry";

/** Numbers of one chunk, the most that one call draws: small enough for a core's first cache. */
export const chunkNumbers: i32 = 4096;

/** Kinds of numbers, as ../kernel.ts names them; words are the rest. */
const uniformKind = 1;
const normalKind = 2;
const signKind = 3;

/**
 * Draws whole blocks of one stream: 32 numbers of 16 counters each, or 1024 signs.
 *
 * @param low the first counter's low word, a multiple of 16; the counters of one call do not go beyond it
 * @param count numbers, at most `chunkNumbers`
 * @param workspace `workspaceBytes` bytes of this thread's own
 */
export function draw(
  kind: i32,
  key0: i32,
  key1: i32,
  low: i32,
  high: i32,
  count: i32,
  scale: f32,
  out: usize,
  workspace: usize,
): void {
  const words = workspace + 64;
  if (kind === signKind) {
    drawWords(key0, key1, low, high, (count + 63) >> 6, words, workspace);
    makeSigns(words, (count + 255) & ~255, scale, out);
    return;
  }
  drawWords(key0, key1, low, high, (count + 1) >> 1, out, workspace);
  const bytes = (<usize>((count + 31) & ~31)) << 2;
  if (kind === normalKind) makeNormal(out, bytes, scale);
  else if (kind === uniformKind) makeUniform(out, bytes);
  else orderWords(out, bytes);
}
