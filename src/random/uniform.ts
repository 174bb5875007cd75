import type { Key } from "./threefry.ts";
import { asWords, fillWords } from "./words.ts";

/** Writes the numbers `start`, `start + 1`, … of a stream, uniform in [0, 1): multiples of 2⁻²⁴. */
export function fillUniform(key: Key, start: number, out: Float32Array): void {
  const words = asWords(out);
  fillWords(key, start, words);
  for (let place = 0; place < out.length; place++) out[place] = ((words[place] as number) >>> 8) * 2 ** -24;
}
