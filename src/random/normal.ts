import { drawRange } from "./drawer.ts";
import type { Key } from "./threefry.ts";

/**
 * Writes the standard normal numbers `start`, `start + 1`, … of a stream, times `scale`: Box-Muller on the two words of a
 * counter, numbers 8j … 8j + 3 the cosines of counters 4j … 4j + 3 and the next four their sines. Their size is at most
 * √(62 ln 2) ≈ 6.56; they are Box-Muller's to 1e-6.
 *
 * All steps are float32 operations that IEEE 754 fixes, in WebAssembly (kernel/numbers.ts), so the bytes are the same on
 * every platform, and the same however a range is cut into calls.
 *
 * @param out where they go, [n]: as many as fit
 */
export function fillNormal(key: Key, start: number, out: Float32Array, scale = 1): void {
  drawRange("normal", key, start, out, scale);
}
