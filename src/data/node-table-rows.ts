/** The rows of a CSV or JSON Lines file of any size, some at a time, in Node. */
import { open } from "node:fs/promises";
import { basename } from "node:path";
import { pipeline } from "node:stream";
import { createGunzip } from "node:zlib";
import Papa from "papaparse";
import { DataError, ForwardgradError, StorageError } from "../errors/errors.ts";
import { limitsWith } from "../limits/limits.ts";
import { parseTable, separatorIn, type Table, type TableReading } from "./files/csv.ts";
import { isGzip } from "./files/gzip.ts";
import { refuseOtherKinds } from "./files/table-text.ts";
import type { LabelledText } from "./text/text-dataset.ts";
import { labelledRows, type TextTableOptions } from "./text/text-table.ts";

/**
 * The texts of a CSV or JSON Lines file, gzipped or not, with what is learned of them, one by one: as `labelledTexts` reads them, of files
 * that need not fit into memory.
 *
 * @param options `label`: the column that is learned
 * @throws DataError when a part of the table does not hold together or a row has no label; SettingError for a column that it does not have;
 * StorageError where the file cannot be read
 */
export function labelledTextStream(
  path: string,
  options: TextTableOptions & { readonly label: string },
): AsyncGenerator<LabelledText, void> {
  return labelledTextsInParts(path, options, 1 << 20);
}

/** As `labelledTextStream`. @param partBytes how many bytes of the file are read at once */
export async function* labelledTextsInParts(
  path: string,
  { text, pair, label, header, limits }: TextTableOptions & { readonly label: string },
  partBytes: number,
): AsyncGenerator<LabelledText, void> {
  const columns = { text, ...(pair !== undefined && { pair }), label };
  for await (const table of tableParts(path, { header, limits: limitsWith(limits) }, partBytes))
    yield* labelledRows(table, columns);
}

/** A table in parts, each with the names of its columns. */
async function* tableParts(
  path: string,
  { header: hasHeader, limits }: Pick<TableReading, "header" | "limits">,
  partBytes: number,
): AsyncGenerator<Table, void> {
  const name = basename(path);
  const reading = { limits, ...(hasHeader !== undefined && { header: hasHeader }) };
  let rest = "";
  let isJson: boolean | undefined;
  /** What the first part of CSV tells of the others. */
  let form: { readonly separator: string; readonly header: string; readonly announced: number } | undefined;
  let rows = 0;
  const take = (part: string): Table => {
    if (isJson || !form) {
      const table = parseTable(part, name, { ...reading, rowsBefore: rows });
      if (form || isJson) return table;
      const separator = separatorIn(part);
      const announced = /^"?sep=/i.test(part) ? 1 : 0;
      form = { separator, announced, header: hasHeader === false ? "" : headerRow(table, part) };
      return table;
    }
    const { separator, header, announced } = form;
    const rowsBefore = rows - announced - (header === "" ? 0 : 1);
    return parseTable(`sep=${separator}\n${header}${part}`, name, {
      limits,
      header: header !== "",
      rowsBefore,
    });
  };
  for await (const text of textParts(path, partBytes)) {
    rest += text;
    isJson ??= isJsonLines(rest, name);
    const separator = form?.separator ?? (isJson ? "" : separatorIn(rest));
    const end = isJson ? rest.lastIndexOf("\n") + 1 : wholeRows(rest, separator).meta.cursor;
    const part = rest.slice(0, end);
    if (part.trim() === "") continue;
    rest = rest.slice(end);
    const count = isJson ? part.split("\n").length - 1 : wholeRows(part, separator).data.length;
    yield take(part);
    rows += count;
  }
  if (rest.trim() !== "") yield take(rest);
}

/** @throws DataError for what is one JSON value, which has to be read at once */
function isJsonLines(text: string, name: string): boolean | undefined {
  const start = text.trimStart();
  if (/^\[\s*[{[]/.test(start))
    throw new DataError(
      `${name}: one JSON array, which is read at once and not row by row; write an object a line (pandas: to_json(…, orient="records", ` +
        "lines=True)).",
      { source: name },
    );
  return start === "" ? undefined : start.startsWith("{");
}

/** The rows of a text that are whole, and where they end: quoted fields may hold line breaks. */
function wholeRows(text: string, delimiter: string): Papa.ParseResult<string[]> {
  return new Papa.Parser({ delimiter, newline: lineEnd(text) }).parse(text, 0, true);
}

function lineEnd(text: string): "\r\n" | "\n" | "\r" {
  if (text.includes("\r\n")) return "\r\n";
  return text.includes("\n") ? "\n" : "\r";
}

/** The row of names as files have it, with the end of line that the others have. */
function headerRow({ header, separator }: Table, part: string): string {
  return Papa.unparse([[...header]], { delimiter: separator }) + lineEnd(part);
}

/** A file's text, in parts that may end anywhere: UTF-8, or UTF-16 with a byte order mark, gzipped or not. */
async function* textParts(path: string, partBytes: number): AsyncGenerator<string, void> {
  const name = basename(path);
  let decoder: InstanceType<typeof TextDecoder> | undefined;
  let bytes = 0;
  try {
    for await (const chunk of byteParts(path, partBytes)) {
      if (!decoder) {
        refuseOtherKinds({ name, bytes: chunk });
        const wide = chunk[0] === 0xff && chunk[1] === 0xfe ? "utf-16le" : "utf-16be";
        const isWide = wide === "utf-16le" || (chunk[0] === 0xfe && chunk[1] === 0xff);
        decoder = new TextDecoder(isWide ? wide : "utf-8", { fatal: true });
      }
      yield decoder.decode(chunk, { stream: true });
      bytes += chunk.length;
    }
    yield decoder?.decode() ?? "";
  } catch (error) {
    if (error instanceof ForwardgradError) throw error;
    if (error instanceof TypeError)
      throw new DataError(
        `${name}: the file is no UTF-8 text behind byte ${bytes.toLocaleString("en")}, expected CSV or JSON Lines in UTF-8; save it in that ` +
          `encoding, or: iconv -f WINDOWS-1252 -t UTF-8 ${name}`,
        { source: name, cause: error },
      );
    const { code, message } = error as NodeJS.ErrnoException;
    if (code?.startsWith("Z_"))
      throw new DataError(
        `${name}: gzip data that cannot be unpacked (${message}); check that the file is whole.`,
        { source: name, cause: error },
      );
    throw new StorageError(`${path}: cannot be read (${message}); check the file and its permissions.`, {
      path,
      cause: error,
    });
  }
  if (bytes === 0)
    throw new DataError(`${name}: the file is empty, expected a table; check that it is whole`, {
      source: name,
    });
}

async function* byteParts(path: string, partBytes: number): AsyncGenerator<Uint8Array, void> {
  const file = await open(path);
  const start = new Uint8Array(2);
  await file.read(start, 0, 2, 0);
  const stored = file.createReadStream({ start: 0, highWaterMark: partBytes });
  // Errors come to whoever reads.
  const bytes = isGzip(start)
    ? pipeline(stored, createGunzip({ chunkSize: partBytes }), () => undefined)
    : stored;
  try {
    for await (const chunk of bytes) yield chunk as Buffer;
  } finally {
    stored.destroy();
  }
}
