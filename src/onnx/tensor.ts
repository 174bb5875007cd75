/** What a tensor is: a type, a shape and numbers. */
import { isArrayOf } from "../arrays/kind.ts";
import { ModelError } from "../errors/errors.ts";
/** Element types of ONNX tensors that forwardgrad reads and writes, by ONNX's own enumeration number. */
export const dtypeNumbers = {
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
  uint32: 12,
  uint64: 13,
  bfloat16: 16,
} as const;

/** Type of a tensor's elements. float16 and bfloat16 are held as their 16 bits, bool as bytes 0 and 1. */
export type DType = keyof typeof dtypeNumbers;

/** The typed arrays that hold a tensor's elements. */
export type TensorData =
  | Float32Array
  | Float64Array
  | Int8Array
  | Int16Array
  | Int32Array
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array;

/** A dense tensor: row-major data, `shape` without symbolic dimensions. */
export interface Tensor {
  /** Type of the elements. */
  readonly dtype: DType;
  /** Sizes of the axes; empty for a scalar. */
  readonly shape: readonly number[];
  /** The elements, row-major: the last axis runs fastest. */
  readonly data: TensorData;
}

// float16 and bfloat16 travel as their 16 bits; bool as bytes 0 and 1.
const arrayTypes = {
  float32: Float32Array,
  uint8: Uint8Array,
  int8: Int8Array,
  uint16: Uint16Array,
  int16: Int16Array,
  int32: Int32Array,
  int64: BigInt64Array,
  bool: Uint8Array,
  float16: Uint16Array,
  float64: Float64Array,
  uint32: Uint32Array,
  uint64: BigUint64Array,
  bfloat16: Uint16Array,
} as const;

/** Bytes of one element. */
export function bytesPerElement(dtype: DType): number {
  return arrayTypes[dtype].BYTES_PER_ELEMENT;
}

/** The element type with this ONNX number, or undefined for strings, 4-bit, 8-bit float and complex types. */
export function dtypeFromNumber(number: number): DType | undefined {
  for (const [dtype, value] of Object.entries(dtypeNumbers)) if (value === number) return dtype as DType;
  return undefined;
}

/** Number of elements of a shape; 1 for a scalar. */
export function elementCount(shape: readonly number[]): number {
  let count = 1;
  for (const dimension of shape) count *= dimension;
  return count;
}

/**
 * Whether arrays of these shapes hold equally many elements in the same order. Axes of size 1 do not matter, and a vector
 * stands for any shape; other axes must agree one by one, because [32, 32, 3] is no [3, 32, 32].
 */
export function holdsSameOrder(a: readonly number[], b: readonly number[]): boolean {
  const [first, second] = [a, b].map((shape) => shape.filter((size) => size !== 1)) as [number[], number[]];
  const isFlat = first.length <= 1 || second.length <= 1;
  return isFlat ? elementCount(a) === elementCount(b) : first.join() === second.join();
}

/** A tensor of zeros of shape [...shape]. */
export function zeros(dtype: DType, shape: readonly number[]): Tensor {
  return { dtype, shape, data: new arrayTypes[dtype](elementCount(shape)) };
}

/** A view of little-endian bytes as typed data; copied when the bytes are not aligned. */
export function dataFromBytes(dtype: DType, bytes: Uint8Array): TensorData {
  const type = arrayTypes[dtype];
  const size = type.BYTES_PER_ELEMENT;
  // Not slice(): of Node's Buffer that would be the same memory.
  const aligned = bytes.byteOffset % size === 0 ? bytes : new Uint8Array(bytes);
  return new type(aligned.buffer as ArrayBuffer, aligned.byteOffset, aligned.byteLength / size);
}

/** The bytes of typed data, without a copy. */
export function bytesOf(data: TensorData): Uint8Array<ArrayBuffer> {
  return new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
}

/**
 * A float32 tensor; without a shape a vector [n]. A Float32Array is used as it is.
 *
 * @throws when the shape holds another number of elements
 */
export function float32(values: Iterable<number>, shape?: readonly number[]): Tensor {
  const data = isArrayOf("Float32Array", values) ? values : Float32Array.from(values);
  return tensor("float32", data, shape ?? [data.length]);
}

/**
 * A float64 tensor; without a shape a vector [n]. A Float64Array is used as it is.
 *
 * @throws when the shape holds another number of elements
 */
export function float64(values: Iterable<number>, shape?: readonly number[]): Tensor {
  const data = isArrayOf("Float64Array", values) ? values : Float64Array.from(values);
  return tensor("float64", data, shape ?? [data.length]);
}

/**
 * An int64 tensor; without a shape a vector [n].
 *
 * @throws when the shape holds another number of elements, or a number is not whole
 */
export function int64(values: Iterable<number>, shape?: readonly number[]): Tensor {
  const data = BigInt64Array.from(values, signed64);
  return tensor("int64", data, shape ?? [data.length]);
}

/** As a 64-bit integer; 2⁶³, to which the largest one rounds as a number, is that one: it stands for "to the end". */
export function signed64(value: number | bigint): bigint {
  const whole = BigInt(value);
  return whole === 2n ** 63n ? whole - 1n : whole;
}

/** A tensor of one of the number types from plain numbers. */
export function tensorOf(dtype: DType, values: Iterable<number>, shape: readonly number[]): Tensor {
  if (dtype === "int64") return int64(values, shape);
  if (dtype === "uint64") return tensor(dtype, BigUint64Array.from(values, BigInt), shape);
  return tensor(dtype, arrayTypes[dtype].from(values), shape);
}

/**
 * A tensor of shape [...shape] from its data, which it keeps.
 *
 * @throws when the shape holds another number of elements
 */
export function tensor(dtype: DType, data: TensorData, shape: readonly number[]): Tensor {
  const expected = elementCount(shape);
  if (data.length !== expected) {
    throw new ModelError(
      `A ${dtype} tensor of shape [${shape.join(", ")}] holds ${expected} elements, received ${data.length}; ` +
        "pass the shape that matches the data.",
    );
  }
  return { dtype, shape, data };
}

/** The elements as plain numbers, [n], row-major (64-bit integers must be safe integers to come out exact). */
export function toNumbers(tensor: Tensor): number[] {
  return Array.from(tensor.data as ArrayLike<number | bigint>, Number);
}

export function isFloat(dtype: DType): boolean {
  return dtype === "float32" || dtype === "float64" || dtype === "float16" || dtype === "bfloat16";
}

/** Types of 16 bits, in which tensors hold their bits. */
export type HalfType = "float16" | "bfloat16";

export function isHalf(dtype: DType): dtype is HalfType {
  return dtype === "float16" || dtype === "bfloat16";
}
