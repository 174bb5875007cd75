/** The text of a file as people have it: gzipped or not, in the encodings that tell themselves. */
import { DataError } from "../../errors/errors.ts";
import { defaultLimits, type Limits } from "../../limits/limits.ts";
import { kindOfFile } from "../files/file-kinds.ts";
import { gunzipAtOnce, isGzip } from "../files/gzip.ts";
import type { SourceFile } from "../store.ts";
import { plainText } from "./plain-text.ts";

/**
 * The text of a file.
 *
 * @param expected what the text should be, in words
 * @throws DataError for other kinds of files, by their names, and as `plainText`
 */
export function unpackedText(
  { name, bytes: stored }: SourceFile,
  expected: string,
  limits: Limits = defaultLimits,
): string {
  const bytes = isGzip(stored) ? gunzipAtOnce(stored, name, limits) : stored;
  const isWide = bytes[0] === 0xff || bytes[0] === 0xfe;
  // Words may begin as other kinds of files do.
  if (isWide || !bytes.subarray(0, 4096).includes(0)) return plainText({ name, bytes }, expected);
  const kind = kindOfFile(bytes) ?? "no text, or UTF-16 without a byte order mark (it holds zero bytes)";
  throw new DataError(
    `${name}: the file is ${kind}, expected ${expected} in UTF-8; unpack or convert it first.`,
    {
      source: name,
    },
  );
}
