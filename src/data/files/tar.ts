import { DataError } from "../../errors/errors.ts";

/**
 * The tar archive format, as far as datasets use it: regular files in ustar headers.
 * Source: POSIX.1-1988 "ustar Interchange Format".
 */

const BLOCK = 512;

/**
 * Reads the regular files of an archive.
 * @param source the archive's name, for messages.
 * @returns path → view of the content in `bytes`.
 * @throws when a header's checksum is wrong, or the archive is truncated.
 */
export function parseTar(bytes: Uint8Array, source: string): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  let at = 0;
  for (;;) {
    const header = bytes.subarray(at, at + BLOCK);
    if (header.length < BLOCK) {
      throw new DataError(
        `${source}: truncated tar archive, received ${bytes.length} bytes, expected an empty block at the end; ` +
          "get the file again",
        { source },
      );
    }
    if (header.every((byte) => byte === 0)) return files;
    checkHeader(header, source, at);
    const [prefix, name] = [readText(header.subarray(345, 500)), readText(header.subarray(0, 100))];
    const path = prefix === "" ? name : `${prefix}/${name}`;
    const size = readOctal(header.subarray(124, 136));
    const end = at + BLOCK + size;
    if (bytes.length < end) {
      throw new DataError(
        `${source}: truncated tar archive, received ${bytes.length} bytes, expected at least ${end} ` +
          `for '${path}'; get the file again`,
        { source },
      );
    }
    // Type "0", or a zero byte in archives older than POSIX.
    if (header[156] === 0x30 || header[156] === 0) files.set(path, bytes.subarray(at + BLOCK, end));
    at += BLOCK + BLOCK * Math.ceil(size / BLOCK);
  }
}

/** Byte sum of the header with its checksum field taken for spaces. */
function checkHeader(header: Uint8Array, source: string, at: number): void {
  const sum = header.reduce(
    (total, byte, offset) => total + (offset >= 148 && offset < 156 ? 0x20 : byte),
    0,
  );
  const isWhole = Number.isInteger(readOctal(header.subarray(124, 136)));
  if (isWhole && sum === readOctal(header.subarray(148, 156))) return;
  throw new DataError(
    `${source}: tar header at byte ${at} does not match its checksum, expected a tar archive; get the file again`,
    { source },
  );
}

function readText(field: Uint8Array): string {
  const end = field.indexOf(0);
  return new TextDecoder().decode(end === -1 ? field : field.subarray(0, end));
}

/** NaN where the field is no octal number. */
function readOctal(field: Uint8Array): number {
  const text = readText(field).trim();
  return /^[0-7]+$/.test(text) ? Number.parseInt(text, 8) : Number.NaN;
}
