/** A fingerprint of parameters, by which replicas notice that they differ. */
import type { Arrays } from "../../optim/optimizer.ts";

/** Two unsigned 32-bit words. */
export type Fingerprint = readonly [number, number];

/** Numbers that one fingerprint reads: of more, each step reads others. */
const windowSize = 2 ** 20;

/**
 * The fingerprint of parameters before a step, bit for bit: of up to 2²⁰ numbers that follow each other in the stream of all, and
 * begin elsewhere at each step, so that it costs the same for any n and reads all of them in n/2²⁰ steps. It tells
 * replicas apart that differ by mistake, not by intent.
 *
 * @param parameters numbers by name, [n] in all
 * @param step counted from 0
 */
export function fingerprintOf(parameters: Arrays, step: number): Fingerprint {
  const arrays = Object.values(parameters);
  const total = arrays.reduce((sum, { length }) => sum + length, 0);
  const first = total > windowSize ? (step * windowSize) % total : 0;
  const words: [number, number] = [0x811c9dc5, 0x9e3779b9];
  const end = first + Math.min(total, windowSize);
  // A window that reaches over the end goes on at the beginning.
  for (const from of [first, first - total]) {
    let start = 0;
    for (const array of arrays) {
      const [low, high] = [Math.max(0, from - start), Math.min(array.length, end - first + from - start)];
      if (low < high) add(words, array.subarray(low, high));
      start += array.length;
    }
  }
  return [finished(words[0]), finished(words[1])];
}

const mixedFirst = (before: number, word: number) => {
  const product = Math.imul(before ^ word, 0x01000193);
  return product ^ (product >>> 15);
};
const mixedSecond = (before: number, word: number) => {
  const product = Math.imul(before + word, 0x85ebca6b);
  return product ^ (product >>> 13);
};

/** Four chains side by side, which a core computes at once, where one would wait for each product: a sixth of the time. */
function add(words: [number, number], numbers: Float32Array): void {
  const read = new Int32Array(numbers.buffer, numbers.byteOffset, numbers.length);
  const at = (index: number) => read[index] as number;
  const [a, b] = words;
  let [a0, a1, a2, a3] = [a | 0, (a + 1) | 0, (a + 2) | 0, (a + 3) | 0];
  let [b0, b1, b2, b3] = [b | 0, (b + 1) | 0, (b + 2) | 0, (b + 3) | 0];
  const whole = read.length - (read.length % 4);
  for (let index = 0; index < whole; index += 4) {
    a0 = mixedFirst(a0, at(index));
    b0 = mixedSecond(b0, at(index));
    a1 = mixedFirst(a1, at(index + 1));
    b1 = mixedSecond(b1, at(index + 1));
    a2 = mixedFirst(a2, at(index + 2));
    b2 = mixedSecond(b2, at(index + 2));
    a3 = mixedFirst(a3, at(index + 3));
    b3 = mixedSecond(b3, at(index + 3));
  }
  for (let index = whole; index < read.length; index++) {
    a0 = mixedFirst(a0, at(index));
    b0 = mixedSecond(b0, at(index));
  }
  words[0] = [a1, a2, a3].reduce(mixedFirst, a0);
  words[1] = [b1, b2, b3].reduce(mixedSecond, b0);
}

function finished(word: number): number {
  const mixed = Math.imul(word ^ (word >>> 16), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

/** Whether two fingerprints are of the same numbers. */
export function isSame([a, b]: Fingerprint, [c, d]: Fingerprint): boolean {
  return a === c && b === d;
}
