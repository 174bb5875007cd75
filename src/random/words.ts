import { drawRange } from "./drawer.ts";
import type { Key } from "./threefry.ts";

/** Writes the words `start`, `start + 1`, … of a stream: words 2j and 2j + 1 are the two words of counter j. */
export function fillWords(key: Key, start: number, out: Uint32Array): void {
  // The same memory as floats: the kernel's numbers are copied byte by byte.
  drawRange("words", key, start, new Float32Array(out.buffer, out.byteOffset, out.length));
}
