import type { Key } from "./threefry.ts";
import { fillWords } from "./words.ts";

/**
 * Writes the fair signs `start`, `start + 1`, … of a stream, times `scale`: sign i is bit i mod 32 of word ⌊i/32⌋.
 * The bytes are the same on every platform and however a range is cut into calls.
 */
export function fillRademacher(key: Key, start: number, out: Float32Array, scale = 1): void {
  const firstWord = Math.floor(start / 32);
  const words = new Uint32Array(Math.ceil((start + out.length) / 32) - firstWord);
  fillWords(key, firstWord, words);
  const shift = start - 32 * firstWord;
  const twice = 2 * scale;
  for (let place = 0; place < out.length; place++) {
    const bit = place + shift;
    out[place] = scale - twice * (((words[bit >>> 5] as number) >>> (bit & 31)) & 1);
  }
}
