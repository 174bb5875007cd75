import { drawRange } from "./drawer.ts";
import type { Key } from "./threefry.ts";

/**
 * Writes the fair signs `start`, `start + 1`, … of a stream, times `scale`: sign i is bit i mod 32 of word ⌊i/32⌋.
 * The bytes are the same on every platform and however a range is cut into calls.
 *
 * @param out where they go, [n]: as many as fit
 */
export function fillRademacher(key: Key, start: number, out: Float32Array, scale = 1): void {
  drawRange("rademacher", key, start, out, scale);
}
