import { DataError } from "../../errors/errors.ts";
import { isGzip } from "./gzip.ts";

/**
 * The IDX file format: two zero bytes, a type byte, the number of dimensions, then each dimension and the data,
 * big-endian. Source: http://yann.lecun.com/exdb/mnist/ ("The IDX file format").
 */

const UNSIGNED_BYTE = 0x08;

/** What the other type bytes of the format stand for. */
const otherTypes: Readonly<Record<number, string>> = {
  9: "signed bytes",
  11: "16-bit integers",
  12: "32-bit integers",
  13: "32-bit floats",
  14: "64-bit floats",
};

/**
 * Reads an IDX file of unsigned bytes.
 * @param source the file's name, for messages.
 * @returns the shape, as many numbers as the file has dimensions, and a view of the data in `bytes`.
 * @throws when the header is not IDX, or the length is not exactly what the header announces.
 */
export function parseIdx(bytes: Uint8Array, source: string): { shape: number[]; data: Uint8Array } {
  const dimensions = readMagic(bytes, source);
  const header = 4 + 4 * dimensions;
  if (bytes.length < header) {
    throw new DataError(
      `${source}: truncated IDX header, received ${bytes.length} bytes, expected at least ${header} ` +
        `for ${dimensions} dimensions; get the file again`,
      { source },
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const shape = Array.from({ length: dimensions }, (_, axis) => view.getUint32(4 + 4 * axis));
  if (shape.includes(0)) {
    throw new DataError(
      `${source}: IDX shape [${shape}] has a dimension of size 0, expected at least 1; get the file again`,
      { source },
    );
  }
  const expected = shape.reduce((product, size) => product * size, 1) + header;
  if (bytes.length !== expected) {
    const problem = bytes.length < expected ? "truncated IDX file" : "trailing bytes after the IDX data";
    throw new DataError(
      `${source}: ${problem}, received ${bytes.length} bytes, expected ${expected} ` +
        `(${header} of header and shape [${shape}]); get the file again`,
      { source },
    );
  }
  return { shape, data: bytes.subarray(header) };
}

/** Checks the four magic bytes and returns the number of dimensions. */
function readMagic(bytes: Uint8Array, source: string): number {
  const [first, second, type, dimensions] = bytes;
  if (first === undefined || second === undefined || type === undefined || dimensions === undefined) {
    throw new DataError(
      `${source}: truncated IDX header, received ${bytes.length} bytes, expected at least 8; get the file again`,
      { source },
    );
  }
  const magic = [first, second, type, dimensions].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const expected = "expected an IDX file of unsigned bytes (0x000008 and the number of dimensions, 01 to 04)";
  if (isGzip(bytes)) {
    throw new DataError(
      `${source}: magic number 0x${magic} is gzip, ${expected}; decompress it first or name it .gz`,
      { source },
    );
  }
  if (first === 0 && second === 0 && otherTypes[type] !== undefined) {
    throw new DataError(
      `${source}: magic number 0x${magic} stands for ${otherTypes[type]}, ${expected}; convert the file to bytes`,
      { source },
    );
  }
  if (first !== 0 || second !== 0 || type !== UNSIGNED_BYTE || dimensions < 1 || dimensions > 4) {
    throw new DataError(
      `${source}: magic number 0x${magic}, ${expected}; check that this is the right file`,
      { source },
    );
  }
  return dimensions;
}
