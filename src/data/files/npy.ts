/** NumPy's files of one array. */
import { fromFloat16 } from "../../arrays/float16.ts";
import { DataError } from "../../errors/errors.ts";
import { type PythonValue, parsePythonLiteral } from "./python-literal.ts";

/**
 * NumPy's .npy format, versions 1 to 3.
 * Source: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html.
 */

/** An array, row-major. */
export interface NpyArray {
  /** Sizes of its axes, as NumPy says them. */
  readonly shape: readonly number[];
  /** NumPy's name of the element type: "uint8", "float32", … */
  readonly type: string;
  /** Its numbers, row-major: the last axis runs fastest. */
  readonly data: Uint8Array | Float32Array | Float64Array;
  /** Whether whole numbers of 64 bits were rounded to the nearest that `data` holds. */
  readonly isRounded: boolean;
}

interface Kind {
  readonly type: string;
  readonly size: number;
  readonly read: (view: DataView, at: number, little: boolean) => number;
}

/** Element types by NumPy's code of kind and size. */
const kinds: Readonly<Record<string, Kind>> = {
  b1: { type: "bool", size: 1, read: (view, at) => Number(view.getUint8(at) !== 0) },
  u1: { type: "uint8", size: 1, read: (view, at) => view.getUint8(at) },
  i1: { type: "int8", size: 1, read: (view, at) => view.getInt8(at) },
  u2: { type: "uint16", size: 2, read: (view, at, little) => view.getUint16(at, little) },
  i2: { type: "int16", size: 2, read: (view, at, little) => view.getInt16(at, little) },
  u4: { type: "uint32", size: 4, read: (view, at, little) => view.getUint32(at, little) },
  i4: { type: "int32", size: 4, read: (view, at, little) => view.getInt32(at, little) },
  u8: { type: "uint64", size: 8, read: (view, at, little) => Number(view.getBigUint64(at, little)) },
  i8: { type: "int64", size: 8, read: (view, at, little) => Number(view.getBigInt64(at, little)) },
  f2: { type: "float16", size: 2, read: (view, at, little) => fromFloat16(view.getUint16(at, little)) },
  f4: { type: "float32", size: 4, read: (view, at, little) => view.getFloat32(at, little) },
  f8: { type: "float64", size: 8, read: (view, at, little) => view.getFloat64(at, little) },
};

/** What else numpy.dtype calls these types. */
const otherNames: Readonly<Record<string, string>> = {
  "?": "b1",
  bool_: "b1",
  ...{ b: "i1", byte: "i1", B: "u1", ubyte: "u1", h: "i2", short: "i2", H: "u2", ushort: "u2" },
  ...{ i: "i4", intc: "i4", I: "u4", uintc: "u4", l: "i8", q: "i8", p: "i8", int: "i8", int_: "i8" },
  ...{ longlong: "i8", L: "u8", Q: "u8", P: "u8", uint: "u8", ulonglong: "u8", intp: "i8", uintp: "u8" },
  ...{ e: "f2", half: "f2", f: "f4", single: "f4", d: "f8", double: "f8", float: "f8" },
  ...Object.fromEntries(Object.entries(kinds).map(([code, { type }]) => [type, code])),
};

interface Header {
  readonly shape: readonly number[];
  readonly kind: Kind;
  readonly isLittleEndian: boolean;
  readonly isFortran: boolean;
  /** Where the numbers begin. */
  readonly start: number;
}

/** Whether the bytes begin like a .npy file. */
export function isNpy(bytes: Uint8Array): boolean {
  return [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59].every((byte, at) => bytes[at] === byte);
}

/**
 * Reads a .npy file of numbers: of any header that NumPy reads, in either byte order, in C order or Fortran's.
 * @param source the file's name, or that of the array, for messages.
 * @throws when the header is not NumPy's, the length is not what it announces, or the elements are no real numbers.
 */
export function parseNpy(bytes: Uint8Array, source: string): NpyArray {
  const { shape, kind, isLittleEndian, isFortran, start } = readHeader(bytes, source);
  const count = shape.reduce((product, size) => product * size, 1);
  const expected = start + count * kind.size;
  if (bytes.length !== expected) {
    const problem = bytes.length < expected ? "truncated array" : "bytes after the array";
    throw new DataError(
      `${source}: ${problem}, received ${bytes.length} bytes, expected ${expected} (${start} of header and shape ` +
        `[${shape}] of ${kind.type}); save it again`,
      { source },
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset + start, count * kind.size);
  const stored = readData(bytes.subarray(start), view, count, kind, isLittleEndian);
  return {
    shape,
    type: kind.type,
    data: isFortran ? rowMajor(stored, shape) : stored,
    isRounded: kind.size === 8 && kind.type !== "float64" && areRounded(view, kind, isLittleEndian, stored),
  };
}

/**
 * What an array is, in words: "float32 [4,3]", or why it is not read.
 * @param bytes the .npy file, or its beginning.
 */
export function describeNpy(bytes: Uint8Array): string {
  try {
    const { shape, kind } = readHeader(bytes, "");
    return `${kind.type} [${shape}]`;
  } catch {
    return "(no array of numbers)";
  }
}

function readHeader(bytes: Uint8Array, source: string): Header {
  const { text, start } = headerText(bytes, source);
  let value: PythonValue;
  try {
    value = parsePythonLiteral(text);
  } catch (cause) {
    throw wrongHeader(source, text, cause);
  }
  if (!(value instanceof Map)) throw wrongHeader(source, text);
  const [descriptor, isFortran, sizes] = ["descr", "fortran_order", "shape"].map((key) => value.get(key));
  if (descriptor === undefined || typeof isFortran !== "boolean" || !isShape(sizes) || value.size !== 3)
    throw wrongHeader(source, text);
  return { shape: sizes, ...kindOf(descriptor, source), isFortran, start };
}

function wrongHeader(source: string, text: string, cause?: unknown): Error {
  return new DataError(
    `${source}: the .npy header is ${JSON.stringify(text.slice(0, 200))}, expected 'descr', 'fortran_order' and 'shape'; ` +
      "save it again",
    { source, cause },
  );
}

function isShape(value: PythonValue | undefined): value is readonly number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}

function headerText(bytes: Uint8Array, source: string): { text: string; start: number } {
  const major = bytes[6] ?? 0;
  const lengthBytes = major === 1 ? 2 : 4;
  if (!isNpy(bytes) || major < 1 || major > 3 || bytes[7] !== 0 || bytes.length < 8 + lengthBytes) {
    throw new DataError(
      `${source}: ${bytes.length} bytes that do not begin as a .npy array of version 1 to 3 does; save it with NumPy`,
      { source },
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = lengthBytes === 2 ? view.getUint16(8, true) : view.getUint32(8, true);
  const start = 8 + lengthBytes + length;
  if (bytes.length < start) {
    throw new DataError(
      `${source}: truncated .npy header, received ${bytes.length} bytes, expected at least ${start}; save it again`,
      { source },
    );
  }
  const decoder = new TextDecoder(major === 3 ? "utf-8" : "latin1");
  return { text: decoder.decode(bytes.subarray(8 + lengthBytes, start)), start };
}

function kindOf(descriptor: PythonValue, source: string): { kind: Kind; isLittleEndian: boolean } {
  const [, order = "", name = ""] =
    (typeof descriptor === "string" && /^([<>|=]?)(.+)$/s.exec(descriptor)) || [];
  const code = Object.hasOwn(otherNames, name) ? (otherNames[name] as string) : name;
  const kind = Object.hasOwn(kinds, code) ? kinds[code] : undefined;
  if (kind !== undefined) return { kind, isLittleEndian: order !== ">" };
  throw new DataError(
    `${source}: ${elementsOf(descriptor)}, expected one of ${Object.values(kinds)
      .map(({ type }) => type)
      .join(", ")}; convert the array (array.astype(numpy.float32))${
      /^[<>|=]?[USO]/.test(String(descriptor))
        ? ", or, where it names classes, number them (numpy.unique(array, return_inverse=True)[1])"
        : ""
    }`,
    { source },
  );
}

/** What the elements are, for messages. */
function elementsOf(descriptor: PythonValue): string {
  if (typeof descriptor !== "string") {
    const fields = Array.isArray(descriptor) ? descriptor.map((field: PythonValue) => [field].flat()[0]) : [];
    const isRecord = fields.every((field) => typeof field === "string") && fields.length > 0;
    return isRecord
      ? `records with the fields ${fields.map((field) => `'${field}'`).join(", ")}`
      : "elements that are arrays themselves";
  }
  const what = {
    ...{ O: "Python objects", U: "text", S: "text", a: "text", M: "dates", m: "durations", V: "records" },
    ...{ c: "complex numbers", f: "floats of an unusual size", F: "complex numbers", D: "complex numbers" },
  }[descriptor.replace(/^[<>|=]/, "")[0] ?? ""];
  return `elements of type '${descriptor}'${what ? ` (${what})` : ""}`;
}

function readData(
  bytes: Uint8Array,
  view: DataView,
  count: number,
  { type, size, read }: Kind,
  little: boolean,
): NpyArray["data"] {
  if (type === "uint8") return bytes;
  const isShort = type === "float32" || type === "float16";
  const data = isShort ? new Float32Array(count) : new Float64Array(count);
  for (let at = 0; at < count; at++) data[at] = read(view, at * size, little);
  return data;
}

/** The axes in reverse order vary in Fortran's, the first one fastest. */
function rowMajor(stored: NpyArray["data"], shape: readonly number[]): NpyArray["data"] {
  const data = stored.slice();
  const strides = shape.map((_, axis) => shape.slice(0, axis).reduce((product, size) => product * size, 1));
  const index = shape.map(() => 0);
  let from = 0;
  for (let at = 0; at < data.length; at++) {
    data[at] = stored[from] as number;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const [size, stride] = [shape[axis] as number, strides[axis] as number];
      index[axis] = (index[axis] as number) + 1;
      from += stride;
      if ((index[axis] as number) < size) break;
      index[axis] = 0;
      from -= size * stride;
    }
  }
  return data;
}

/** Whether a whole number of 64 bits is not the one that was stored. */
function areRounded(view: DataView, { type }: Kind, little: boolean, stored: NpyArray["data"]): boolean {
  return stored.some((value, at) => {
    if (Number.isSafeInteger(value)) return false;
    const whole = type === "int64" ? view.getBigInt64(8 * at, little) : view.getBigUint64(8 * at, little);
    return whole !== BigInt(value);
  });
}
