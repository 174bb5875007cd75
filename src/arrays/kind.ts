/** Typed arrays by the names of their kinds. */
interface Kinds {
  Float32Array: Float32Array;
  Float64Array: Float64Array;
  Int8Array: Int8Array;
  Int16Array: Int16Array;
  Int32Array: Int32Array;
  Uint8Array: Uint8Array;
  Uint16Array: Uint16Array;
  Uint32Array: Uint32Array;
  BigInt64Array: BigInt64Array;
  BigUint64Array: BigUint64Array;
}

/**
 * Whether a value is a typed array of that kind, of whichever realm: arrays of a frame, of a `vm` context or of a test runner
 * such as Jest are arrays as well, and `instanceof` would only know those of this realm. A Node Buffer is a Uint8Array.
 */
export function isArrayOf<Kind extends keyof Kinds>(kind: Kind, value: unknown): value is Kinds[Kind] {
  return ArrayBuffer.isView(value) && Object.prototype.toString.call(value) === `[object ${kind}]`;
}
