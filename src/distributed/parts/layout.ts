/** Arrays of numbers as bytes one after the other, in the order of their names, which both sides know. */
import type { EstimatorState } from "../../estimate/state.ts";

type Numbers = Float32Array | Float64Array | Int32Array;

/** How many bytes arrays by name take. */
export function byteLengthOf(...groups: readonly EstimatorState[]): number {
  return arraysOf(groups).reduce((total, { byteLength }) => total + byteLength, 0);
}

/** The bytes of arrays by name, of one group after the other. */
export function toBytes(...groups: readonly EstimatorState[]): Uint8Array {
  const bytes = new Uint8Array(byteLengthOf(...groups));
  let at = 0;
  for (const array of arraysOf(groups)) {
    bytes.set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength), at);
    at += array.byteLength;
  }
  return bytes;
}

/** Writes bytes into arrays of the same names and lengths, in the same order. */
export function writeBytes(bytes: Uint8Array, ...groups: readonly EstimatorState[]): void {
  let at = 0;
  for (const array of arraysOf(groups)) {
    const target = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
    target.set(bytes.subarray(at, at + array.byteLength));
    at += array.byteLength;
  }
}

function arraysOf(groups: readonly EstimatorState[]): readonly Numbers[] {
  return groups.flatMap((group) =>
    Object.keys(group)
      .sort()
      .map((name) => group[name] as Numbers),
  );
}
