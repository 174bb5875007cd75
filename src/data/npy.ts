/**
 * NumPy's .npy format, versions 1 to 3.
 * Source: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html.
 */

/** An array, row-major. */
export interface NpyArray {
  readonly shape: readonly number[];
  /** NumPy's name of the element type: "uint8", "float32", … */
  readonly type: string;
  readonly data: Uint8Array | Float32Array | Float64Array;
}

interface Kind {
  readonly type: string;
  readonly size: number;
  readonly read: (view: DataView, at: number) => number;
}

/** Element types by the descriptor without its byte order. */
const kinds: Readonly<Record<string, Kind>> = {
  b1: { type: "bool", size: 1, read: (view, at) => view.getUint8(at) },
  u1: { type: "uint8", size: 1, read: (view, at) => view.getUint8(at) },
  i1: { type: "int8", size: 1, read: (view, at) => view.getInt8(at) },
  u2: { type: "uint16", size: 2, read: (view, at) => view.getUint16(at, true) },
  i2: { type: "int16", size: 2, read: (view, at) => view.getInt16(at, true) },
  u4: { type: "uint32", size: 4, read: (view, at) => view.getUint32(at, true) },
  i4: { type: "int32", size: 4, read: (view, at) => view.getInt32(at, true) },
  u8: { type: "uint64", size: 8, read: (view, at) => Number(view.getBigUint64(at, true)) },
  i8: { type: "int64", size: 8, read: (view, at) => Number(view.getBigInt64(at, true)) },
  f4: { type: "float32", size: 4, read: (view, at) => view.getFloat32(at, true) },
  f8: { type: "float64", size: 8, read: (view, at) => view.getFloat64(at, true) },
};

/** What follows the magic bytes, the version and the header's length, as NumPy writes it. */
const headerPattern =
  /^\{'descr': (.+), 'fortran_order': (True|False), 'shape': \(((?:\d+, ?)*\d*)\), ?\} *\n$/;

/**
 * Reads a .npy file of numbers.
 * @param source the file's name, or that of the array, for messages.
 * @throws when the header is not NumPy's, the length is not what it announces, or the elements are no little-endian
 * numbers in row-major order.
 */
export function parseNpy(bytes: Uint8Array, source: string): NpyArray {
  const { header, start } = readHeader(bytes, source);
  const [, descriptor = "", order, sizes = ""] = headerPattern.exec(header) ?? [];
  if (descriptor === "") {
    throw new Error(
      `${source}: the .npy header is ${JSON.stringify(header.slice(0, 200))}, expected 'descr', 'fortran_order' and 'shape'; save it again`,
    );
  }
  const kind = kindOf(descriptor, source);
  if (order === "True") {
    throw new Error(
      `${source}: the array is in Fortran order, expected C order; save numpy.ascontiguousarray(…) of it`,
    );
  }
  const shape = sizes
    .split(",")
    .map((size) => size.trim())
    .filter((size) => size !== "")
    .map(Number);
  const count = shape.reduce((product, size) => product * size, 1);
  const expected = start + count * kind.size;
  if (bytes.length !== expected) {
    const problem = bytes.length < expected ? "truncated array" : "bytes after the array";
    throw new Error(
      `${source}: ${problem}, received ${bytes.length} bytes, expected ${expected} (${start} of header and shape ` +
        `[${shape}] of ${kind.type}); save it again`,
    );
  }
  return { shape, type: kind.type, data: readData(bytes, start, count, kind) };
}

function readHeader(bytes: Uint8Array, source: string): { header: string; start: number } {
  const isNumpy = [0x93, ...new TextEncoder().encode("NUMPY")].every((byte, at) => bytes[at] === byte);
  const major = bytes[6] ?? 0;
  const lengthBytes = major === 1 ? 2 : 4;
  if (!isNumpy || major < 1 || major > 3 || bytes[7] !== 0 || bytes.length < 8 + lengthBytes) {
    throw new Error(
      `${source}: ${bytes.length} bytes that do not begin as a .npy array of version 1 to 3 does; save it with NumPy`,
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = lengthBytes === 2 ? view.getUint16(8, true) : view.getUint32(8, true);
  const start = 8 + lengthBytes + length;
  if (bytes.length < start) {
    throw new Error(
      `${source}: truncated .npy header, received ${bytes.length} bytes, expected at least ${start}; save it again`,
    );
  }
  const text = new TextDecoder(major === 3 ? "utf-8" : "latin1");
  return { header: text.decode(bytes.subarray(8 + lengthBytes, start)), start };
}

function kindOf(descriptor: string, source: string): Kind {
  const [, order, code = ""] = /^'([<>|=])(\w+)'$/.exec(descriptor) ?? [];
  const kind = Object.hasOwn(kinds, code) ? kinds[code] : undefined;
  if (kind !== undefined && (order === "<" || (order === "|" && kind.size === 1))) return kind;
  const names = Object.values(kinds).map(({ type }) => type);
  throw new Error(
    `${source}: elements of type ${descriptor}, expected little-endian ${names.join(", ")}; convert the array ` +
      "(array.astype(numpy.float32))",
  );
}

function readData(bytes: Uint8Array, start: number, count: number, kind: Kind): NpyArray["data"] {
  if (kind.type === "uint8") return bytes.subarray(start);
  const view = new DataView(bytes.buffer, bytes.byteOffset + start, count * kind.size);
  const data = kind.type === "float32" ? new Float32Array(count) : new Float64Array(count);
  for (let at = 0; at < count; at++) data[at] = kind.read(view, at * kind.size);
  return data;
}
