import type { Key } from "./threefry.ts";
import { fillWords } from "./words.ts";

/**
 * A random order of 0 … count − 1 (Fisher-Yates). Each swap takes 53 random bits times the range, rounded down: no
 * place is likelier than another by more than count·2⁻⁵³.
 */
export function permutation(key: Key, count: number): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, place) => place);
  const words = new Uint32Array(2 * count);
  fillWords(key, 0, words);
  for (let last = count - 1; last > 0; last--) {
    const unit =
      ((words[2 * last] as number) * 2 ** 21 + ((words[2 * last + 1] as number) >>> 11)) * 2 ** -53;
    const other = Math.floor(unit * (last + 1));
    const value = order[last] as number;
    order[last] = order[other] as number;
    order[other] = value;
  }
  return order;
}
