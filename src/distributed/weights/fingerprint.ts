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

function add(words: [number, number], numbers: Float32Array): void {
  let [a, b] = words;
  for (const word of new Int32Array(numbers.buffer, numbers.byteOffset, numbers.length)) {
    a = Math.imul(a ^ word, 0x01000193);
    a ^= a >>> 15;
    b = Math.imul(b + word, 0x85ebca6b);
    b ^= b >>> 13;
  }
  words[0] = a;
  words[1] = b;
}

function finished(word: number): number {
  const mixed = Math.imul(word ^ (word >>> 16), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

/** Whether two fingerprints are of the same numbers. */
export function isSame([a, b]: Fingerprint, [c, d]: Fingerprint): boolean {
  return a === c && b === d;
}
