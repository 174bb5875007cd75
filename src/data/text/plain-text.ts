/** Bytes as text, in the encodings that tell themselves. */
import { DataError } from "../../errors/errors.ts";
import type { SourceFile } from "../store.ts";

/**
 * The text of a file: UTF-8, or UTF-16 with a byte order mark.
 *
 * @param expected what the text should be, in words
 * @throws DataError for bytes that are no such text, with the row and how to convert it
 */
export function plainText({ name, bytes }: SourceFile, expected: string): string {
  const wide =
    bytes[0] === 0xff && bytes[1] === 0xfe
      ? "utf-16le"
      : bytes[0] === 0xfe && bytes[1] === 0xff
        ? "utf-16be"
        : undefined;
  try {
    return new TextDecoder(wide ?? "utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    const at = wide === undefined ? firstWrong(bytes) : 0;
    const row = 1 + bytes.subarray(0, at).filter((byte) => byte === 10).length;
    const byte = bytes[at] ?? 0;
    const letter = new TextDecoder("windows-1252").decode(Uint8Array.of(byte));
    throw new DataError(
      `${name}: the file is no UTF-8 text (byte 0x${byte.toString(16).padStart(2, "0")} in row ${row}, which is '${letter}' ` +
        `in Latin-1 and Windows-1252), expected ${expected} in UTF-8; save it in that encoding, or: iconv -f ` +
        `WINDOWS-1252 -t UTF-8 ${name}`,
      { source: name, cause },
    );
  }
}

/** Where the bytes stop to be UTF-8: at the start of the character that is none. */
function firstWrong(bytes: Uint8Array): number {
  let [low, high] = [0, bytes.length];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    try {
      new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(0, middle), { stream: true });
      low = middle;
    } catch {
      high = middle - 1;
    }
  }
  // A decoder notices at the byte that does not continue a character, up to 3 after its start.
  while (low > 0 && !isWhole(bytes.subarray(0, low))) low--;
  return low;
}

function isWhole(bytes: Uint8Array): boolean {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}
