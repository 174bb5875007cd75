import { drawRange } from "./drawer.ts";
import type { Key } from "./threefry.ts";
import { fillWords } from "./words.ts";

/**
 * Writes the numbers `start`, `start + 1`, … of a stream, uniform in [0, 1): multiples of 2⁻²⁴.
 *
 * @param out where they go, [n]: as many as fit
 */
export function fillUniform(key: Key, start: number, out: Float32Array): void {
  drawRange("uniform", key, start, out);
}

/** The first `count` float64 numbers of a stream, uniform in [0, 1): multiples of 2⁻⁵³, each from two words. */
export function uniform64(key: Key, count: number): Float64Array {
  const words = new Uint32Array(2 * count);
  fillWords(key, 0, words);
  return Float64Array.from(
    { length: count },
    (_, index) =>
      ((words[2 * index] as number) * 2 ** 21 + ((words[2 * index + 1] as number) >>> 11)) * 2 ** -53,
  );
}
