/** Unpacks gzip, with its checksum, within limits. */
import { Gunzip } from "fflate";
import { DataError } from "../../errors/errors.ts";
import { words } from "../../errors/words.ts";
import { howToRaise, type Limits, limitsWith } from "../../limits/limits.ts";
import { crc32 } from "./crc32.ts";

/** Whether the bytes begin like a gzip file (RFC 1952, section 2.3.1). */
export function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

/**
 * Decompresses a gzip file; CRC-32 and length of its members are checked on the way.
 * @param source the file's name, for messages.
 * @throws when the bytes are not gzip, are truncated or are damaged, or unpack to more than the limit.
 */
export async function gunzip(
  bytes: Uint8Array,
  source: string,
  limits: Partial<Limits> = {},
): Promise<Uint8Array> {
  checkStart(bytes, source);
  const output = collector(source, limits);
  try {
    await decompress(bytes, "gzip", output);
  } catch (cause) {
    throw damaged(`${source}: truncated or damaged gzip, received`, bytes, cause);
  }
  return output.joined();
}

/** As `gunzip`, for callers that cannot wait. */
export function gunzipAtOnce(bytes: Uint8Array, source: string, limits: Partial<Limits> = {}): Uint8Array {
  checkStart(bytes, source);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const output = collector(source, limits);
  let [sum, length] = [0, 0];
  const checkMember = (end: number) => {
    if (end < 18 || view.getUint32(end - 8, true) !== sum || view.getUint32(end - 4, true) !== length >>> 0)
      throw new Error("the checksum does not match");
    [sum, length] = [0, 0];
  };
  const stream = new Gunzip((chunk) => {
    output.add(chunk);
    sum = crc32(chunk, sum);
    length += chunk.length;
  });
  stream.onmember = checkMember;
  try {
    for (let at = 0; at < bytes.length; at += pieceBytes)
      stream.push(bytes.subarray(at, at + pieceBytes), at + pieceBytes >= bytes.length);
    checkMember(bytes.length);
  } catch (cause) {
    throw damaged(`${source}: truncated or damaged gzip, received`, bytes, cause);
  }
  return output.joined();
}

/** Pieces so small that what one unpacks to (at most 1032 times as much) fits into memory. */
export const pieceBytes = 65_536;

/**
 * Decompresses a zlib stream (RFC 1950); its Adler-32 is checked on the way.
 * @param what what the bytes are, for messages.
 * @throws when the bytes are no zlib stream, are truncated or are damaged, or unpack to more than the limit.
 */
export async function inflate(
  bytes: Uint8Array,
  what: string,
  limits: Partial<Limits> = {},
): Promise<Uint8Array> {
  const output = collector(what, limits);
  try {
    await decompress(bytes, "deflate", output);
  } catch (cause) {
    throw damaged(`${what}:`, bytes, cause);
  }
  return output.joined();
}

/** A file that unpacks to more than the limit. */
class LimitError extends DataError {}

interface Collector {
  add(chunk: Uint8Array): void;
  joined(): Uint8Array;
}

/** Gathers what is unpacked, up to the limit. */
export function collector(source: string, changed: Partial<Limits>): Collector {
  const limits = limitsWith(changed);
  const chunks: Uint8Array[] = [];
  let size = 0;
  return {
    add(chunk) {
      size += chunk.length;
      if (size > limits.unpackedBytes) {
        throw new LimitError(
          words`${source}: unpacks to more bytes than allowed; ${howToRaise("unpackedBytes", limits)}`,
          { source },
        );
      }
      chunks.push(chunk);
    },
    joined: () => joinChunks(chunks),
  };
}

/** The bytes of all chunks, one after the other. */
export function joinChunks(chunks: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(chunks.reduce((size, { length }) => size + length, 0));
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

async function decompress(bytes: Uint8Array, format: "gzip" | "deflate", output: Collector): Promise<void> {
  const reader = new Blob([Uint8Array.from(bytes)])
    .stream()
    .pipeThrough(new DecompressionStream(format))
    .getReader();
  try {
    for (let part = await reader.read(); part.value !== undefined; part = await reader.read())
      output.add(part.value);
  } catch (cause) {
    await reader.cancel().catch(() => undefined);
    throw cause;
  }
}

function checkStart(bytes: Uint8Array, source: string): void {
  if (isGzip(bytes)) return;
  const received = Array.from(bytes.subarray(0, 2), (byte) => byte.toString(16).padStart(2, "0")).join("");
  throw new DataError(
    `${source}: not gzip, received ${bytes.length} bytes that begin with "${received}", expected "1f8b"; ` +
      "get the file again, or drop .gz from its name if it is not compressed",
    { source },
  );
}

function damaged(start: string, bytes: Uint8Array, cause: unknown): Error {
  if (cause instanceof LimitError) return cause;
  const detail = cause instanceof Error ? cause.message : String(cause);
  return new DataError(
    `${start} ${bytes.length} bytes that do not decompress (${detail}); get the file again`,
    { source: start, cause },
  );
}
