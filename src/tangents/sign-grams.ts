/** Gram matrices and combinations of random signs from their bits: no number of a tangent is read. */
import { openKernel } from "../arrays/open-kernel.ts";
import type { Drawer } from "../random/drawer.ts";
import type { Key } from "../random/threefry.ts";
import { kernelBase64 } from "./kernel.generated.ts";

/** The functions of the WebAssembly module; kernel/kernel.ts describes them. Places are bytes in its memory. */
interface Functions {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): number };
  readonly blockWords: { readonly value: number };
  addGrams(
    streams: number,
    stride: number,
    k: number,
    first: number,
    each: number,
    size: number,
    values: number,
    inner: number,
    batch: number,
    grams: number,
    active: number,
    rows: number,
  ): void;
  readonly combineBytes: { readonly value: number };
  combine(
    streams: number,
    stride: number,
    k: number,
    coefficients: number,
    first: number,
    count: number,
    rows: number,
    scratch: number,
    out: number,
  ): void;
}

/** A piece of tangents whose signs stand one after the other in streams of their own: one for each tangent. */
export interface SignPiece {
  /** Numbers of one example. */
  readonly size: number;
  /** Examples with signs of their own in each stream: the batch, or 1. */
  readonly examples: number;
  /** Numbers that follow each other in one example's part of the values by which they are masked. Default: `size` */
  readonly inner?: number;
}

/** k tangents whose numbers are signs. */
export interface SignGrams {
  /**
   * Draws the bits.
   *
   * @param keyOf the stream of a tangent's piece
   * @param before so many examples come before the first one in the streams
   */
  draw(drawer: Drawer, keyOf: (tangent: number, piece: number) => Key, before: number): void;
  /**
   * Draws, and counts anew.
   *
   * @param values by piece, [outer, batch, inner]: numbers do not count where they are 0; undefined: all count
   */
  count(
    drawer: Drawer,
    keyOf: (tangent: number, piece: number) => Key,
    before: number,
    values: readonly (Float32Array | undefined)[],
  ): void;
  /** G of an example, [k, k]; the array is written anew by the next count. */
  gram(example: number): Float64Array;
  /** How many numbers of an example count. */
  active(example: number): number;
  /**
   * Writes Σ cᵢ vᵢ of the numbers of the first piece from number `from` on, of what was drawn, to rounding.
   *
   * @param coefficients c, [k]
   * @param out written, [n]: as many as fit
   */
  combine(coefficients: ArrayLike<number>, from: number, out: Float32Array): void;
}

/**
 * Room for the bits of k tangents and the Gram matrices of a batch.
 *
 * @returns undefined where the engine does not run the module, or has no memory for the bits
 */
export function openSignGrams(k: number, batch: number, pieces: readonly SignPiece[]): SignGrams | undefined {
  const functions = openKernel<Functions>(kernelBase64);
  // The runtime multiplies.
  if (!functions) return undefined;
  // Behind the module's own numbers; vectors are read best where they do not cross lines of the cache.
  let end = 1024;
  const reserve = (bytes: number) => {
    const address = end;
    end += Math.ceil(bytes / 64) * 64;
    return address;
  };
  const blockWords = functions.blockWords.value;
  const rows = reserve(8 * Math.max(16, k + 4) * blockWords);
  const coefficientsOfSixteen = reserve(4 * Math.ceil(k / 16) * 16);
  const sums = reserve(functions.combineBytes.value);
  const combined = reserve(4 * 64 * blockWords);
  const grams = reserve(8 * batch * k * k);
  const active = reserve(4 * batch);
  const values = reserve(4 * batch * Math.max(...pieces.map(({ size }) => size)));
  const streams = pieces.map(({ size, examples }) => {
    // The first bit may be the last of a word, and words are read beyond the last one.
    const stride = 8 * (Math.ceil((examples * size + 31) / 64) + 1);
    return { address: reserve(k * stride + 32), stride };
  });
  if (!hasGrown(functions, end)) return undefined;
  const { buffer } = functions.memory;
  const results = new Float64Array(buffer, grams, batch * k * k);
  const counts = new Int32Array(buffer, active, batch);
  const weights = new Float32Array(buffer, coefficientsOfSixteen, Math.ceil(k / 16) * 16);
  const block = new Float32Array(buffer, combined, 64 * blockWords);
  /** Bit of the first number of the first piece. */
  let start = 0;
  const signs: SignGrams = {
    draw(drawer, keyOf, before) {
      start = (before * (pieces[0]?.size ?? 0)) % 32;
      drawer.draw(
        pieces.flatMap(({ size, examples }, index) => {
          const { address, stride } = streams[index] as (typeof streams)[number];
          const from = before * size;
          const words = Math.ceil(((from % 32) + examples * size) / 32);
          return Array.from({ length: k }, (_, tangent) => ({
            fill: "words" as const,
            key: keyOf(tangent, index),
            start: Math.floor(from / 32),
            out: new Float32Array(buffer, address + tangent * stride, words),
          }));
        }),
      );
    },
    count(drawer, keyOf, before, masks) {
      results.fill(0);
      counts.fill(0);
      signs.draw(drawer, keyOf, before);
      for (const [index, { size, examples, inner = size }] of pieces.entries()) {
        const { address, stride } = streams[index] as (typeof streams)[number];
        const mask = masks[index];
        if (mask) new Float32Array(buffer, values, mask.length).set(mask);
        const [first, each] = [(before * size) % 32, examples === 1 ? 0 : size];
        const masked = mask ? values : 0;
        functions.addGrams(address, stride, k, first, each, size, masked, inner, batch, grams, active, rows);
      }
    },
    gram: (example) => results.subarray(example * k * k, (example + 1) * k * k),
    active: (example) => counts[example] as number,
    combine(coefficients, from, out) {
      const { address, stride } = streams[0] as (typeof streams)[number];
      weights.set(coefficients);
      for (let done = 0; done < out.length; done += block.length) {
        const count = Math.min(block.length, out.length - done);
        const first = start + from + done;
        functions.combine(address, stride, k, coefficientsOfSixteen, first, count, rows, sums, combined);
        out.set(count === block.length ? block : block.subarray(0, count), done);
      }
    },
  };
  return signs;
}

function hasGrown({ memory }: Functions, bytes: number): boolean {
  try {
    memory.grow(Math.ceil(bytes / 65536) - 1);
    return true;
  } catch {
    return false;
  }
}
