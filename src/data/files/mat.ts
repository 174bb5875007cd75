import { DataError } from "../../errors/errors.ts";
import type { Limits } from "../../limits/limits.ts";
import { inflate } from "./gzip.ts";

/**
 * MATLAB's MAT-file format, version 5, as far as numeric arrays need it; little-endian.
 * Source: MathWorks, "MAT-File Format", chapter 1, "Level 5 MAT-File Format".
 */

/** A numeric array, in the file's order: the first axis varies fastest. */
export interface MatArray {
  /** Sizes of its axes, in MATLAB's order; the first axis runs fastest in `data`. */
  readonly shape: readonly number[];
  /** Bytes where the file stores bytes. */
  readonly data: Uint8Array | Float64Array;
}

const HEADER = 128;
const MATRIX = 14;
const COMPRESSED = 15;
const COMPLEX = 0x08;

/** Storage types: size in bytes, and how to read one number. */
const storage: Readonly<Record<number, readonly [number, (view: DataView, at: number) => number]>> = {
  1: [1, (view, at) => view.getInt8(at)],
  2: [1, (view, at) => view.getUint8(at)],
  3: [2, (view, at) => view.getInt16(at, true)],
  4: [2, (view, at) => view.getUint16(at, true)],
  5: [4, (view, at) => view.getInt32(at, true)],
  6: [4, (view, at) => view.getUint32(at, true)],
  7: [4, (view, at) => view.getFloat32(at, true)],
  9: [8, (view, at) => view.getFloat64(at, true)],
};
const UINT8 = 2;
const INT32 = 5;
const UINT32 = 6;
const INT8 = 1;

/** Classes 6 to 13 are double, single and the integers up to 32 bits. */
const isNumeric = (matrixClass: number) => matrixClass >= 6 && matrixClass <= 13;

interface Element {
  readonly type: number;
  readonly data: Uint8Array;
  /** Where the next element begins. */
  readonly end: number;
}

/**
 * Reads the numeric arrays of a MAT-file.
 * @param source the file's name, for messages.
 * @throws when the file is no MAT-file of version 5, is truncated or damaged, or holds anything but real numeric arrays.
 */
export async function parseMat(
  bytes: Uint8Array,
  source: string,
  limits: Partial<Limits> = {},
): Promise<Map<string, MatArray>> {
  checkHeader(bytes, source);
  const arrays = new Map<string, MatArray>();
  let at = HEADER;
  while (at < bytes.length) {
    const element = readElement(bytes, at, source, false);
    at = element.end;
    const [name, array] = await readTopLevel(element, source, limits);
    if (arrays.has(name)) {
      throw new DataError(`${source}: two arrays are called '${name}', expected one; save the file again`, {
        source,
      });
    }
    arrays.set(name, array);
  }
  return arrays;
}

async function readTopLevel(
  element: Element,
  source: string,
  limits: Partial<Limits>,
): Promise<[string, MatArray]> {
  if (element.type === MATRIX) return readMatrix(element.data, source);
  if (element.type !== COMPRESSED) {
    throw new DataError(
      `${source}: MAT element of type ${element.type}, expected an array; get the file again`,
      { source },
    );
  }
  const content = await inflate(element.data, source, limits);
  const inner = readElement(content, 0, source, true);
  if (inner.type !== MATRIX || inner.end !== content.length) {
    throw new DataError(`${source}: a compressed MAT element holds no single array; get the file again`, {
      source,
    });
  }
  return readMatrix(inner.data, source);
}

function checkHeader(bytes: Uint8Array, source: string): void {
  const text = new TextDecoder("latin1").decode(bytes.subarray(0, 19));
  if (bytes.length < HEADER || !text.startsWith("MATLAB")) {
    throw new DataError(
      `${source}: ${bytes.length} bytes that begin with "${text}", expected "MATLAB 5.0 MAT-file" and a header of ` +
        `${HEADER} bytes; check that this is the right file`,
      { source },
    );
  }
  const [low, high, first, second] = bytes.subarray(124, HEADER);
  if (first === 0x4d && second === 0x49) {
    throw new DataError(`${source}: a big-endian MAT-file, expected a little-endian one; save it again`, {
      source,
    });
  }
  if (first !== 0x49 || second !== 0x4d || low !== 0 || high !== 1) {
    throw new DataError(
      `${source}: MAT-file version ${high}.${low}, expected 1.0 (MATLAB 5); save it with -v7, not with -v7.3 (HDF5)`,
      { source },
    );
  }
}

/** Reads a tag and its data; small elements hold both in eight bytes. Compressed elements are not padded. */
function readElement(bytes: Uint8Array, at: number, source: string, isLast: boolean): Element {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < at + 8) throw truncated(source, bytes.length, at + 8);
  const word = view.getUint32(at, true);
  const smallSize = word >>> 16;
  if (smallSize > 0) {
    if (smallSize > 4) {
      throw new DataError(
        `${source}: a small MAT element of ${smallSize} bytes, expected at most 4; get the file again`,
        { source },
      );
    }
    return { type: word & 0xffff, data: bytes.subarray(at + 4, at + 4 + smallSize), end: at + 8 };
  }
  const size = view.getUint32(at + 4, true);
  const end = at + 8 + size;
  if (bytes.length < end) throw truncated(source, bytes.length, end);
  // SciPy and MATLAB leave the padding of the last element out inside compressed ones.
  const padded = word === COMPRESSED ? end : at + 8 + 8 * Math.ceil(size / 8);
  return {
    type: word,
    data: bytes.subarray(at + 8, end),
    end: isLast ? Math.min(padded, bytes.length) : padded,
  };
}

/** Array flags, dimensions, name and real part. */
function readMatrix(bytes: Uint8Array, source: string): [string, MatArray] {
  const flags = readElement(bytes, 0, source, false);
  const dimensions = readElement(bytes, flags.end, source, false);
  const naming = readElement(bytes, dimensions.end, source, false);
  const real = readElement(bytes, naming.end, source, true);
  if (flags.type !== UINT32 || flags.data.length !== 8 || dimensions.type !== INT32 || naming.type !== INT8) {
    throw new DataError(`${source}: the parts of a MAT array are out of order; get the file again`, {
      source,
    });
  }
  const name = new TextDecoder("latin1").decode(naming.data);
  const [matrixClass = 0, bits = 0] = flags.data;
  const kind = storage[real.type];
  if (!isNumeric(matrixClass) || (bits & COMPLEX) !== 0 || kind === undefined) {
    throw new DataError(
      `${source}: '${name}' is of MATLAB class ${matrixClass} and storage type ${real.type}, expected a full array of ` +
        "real numbers; save it as one",
      { source },
    );
  }
  if (real.end !== bytes.length) {
    throw new DataError(`${source}: bytes after the numbers of '${name}'; get the file again`, { source });
  }
  const shape = readNumbers(dimensions.data, INT32);
  const count = shape.reduce((product, size) => product * size, 1);
  if (shape.some((size) => size < 1) || real.data.length !== count * kind[0]) {
    throw new DataError(
      `${source}: '${name}' of shape [${shape.join(",")}] has ${real.data.length} bytes, expected ${count * kind[0]}; ` +
        "get the file again",
      { source },
    );
  }
  return [
    name,
    {
      shape: Array.from(shape),
      data: real.type === UINT8 ? real.data : readNumbers(real.data, real.type),
    },
  ];
}

function readNumbers(bytes: Uint8Array, type: number): Float64Array {
  const [size, read] = storage[type] as (typeof storage)[number];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Float64Array.from({ length: Math.floor(bytes.length / size) }, (_, index) =>
    read(view, index * size),
  );
}

function truncated(source: string, received: number, expected: number): Error {
  return new DataError(
    `${source}: truncated MAT-file, received ${received} bytes, expected at least ${expected}; get the file again`,
    { source },
  );
}
