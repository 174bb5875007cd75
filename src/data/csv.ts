import Papa from "papaparse";
import type { SourceFile } from "./store.ts";

/** A table of text: what a CSV file says, before columns have types. */
export interface Table {
  /** The file's name, for messages. */
  readonly source: string;
  readonly header: readonly string[];
  /** As many fields as the header has. */
  readonly rows: readonly (readonly string[])[];
  /** The number of each row as spreadsheets count: the header is row 1, empty rows count. */
  readonly rowNumbers: readonly number[];
}

/**
 * Reads a CSV file in UTF-8 with a header. Fields are separated by commas, semicolons, tabs or bars, whichever makes
 * sense of the first rows; quoted fields may hold separators, line breaks and doubled quotes (RFC 4180). Empty rows
 * are passed over.
 * @throws when the bytes are no UTF-8 text, quotes do not match, a row has another number of fields than the header, or
 * the header has empty or equal names.
 */
export function parseCsv({ name, bytes }: SourceFile): Table {
  const { data, errors } = Papa.parse<string[]>(decodeText(bytes, name), {
    delimitersToGuess: [",", ";", "\t", "|"],
  });
  const problem = errors.find(({ type }) => type !== "Delimiter");
  if (problem) {
    throw new Error(
      `${name}: row ${(problem.row ?? 0) + 1}: ${problem.message}, expected quotes around whole fields and doubled ` +
        'inside them ("a ""b"" c"); correct the quotes',
    );
  }
  const [header = [], ...rest] = data.map((fields) => fields.map((field) => field.trim()));
  checkHeader(header, name);
  const rows: string[][] = [];
  const rowNumbers: number[] = [];
  for (const [index, fields] of rest.entries()) {
    if (fields.length === 1 && fields[0] === "") continue;
    if (fields.length !== header.length) {
      throw new Error(
        `${name}: row ${index + 2} has ${fields.length} fields, expected ${header.length} as in the header; ` +
          "correct the row, or put quotes around fields that hold separators",
      );
    }
    rows.push(fields);
    rowNumbers.push(index + 2);
  }
  if (rows.length === 0) {
    throw new Error(`${name}: no rows below the header, expected at least one; check that the file is whole`);
  }
  return { source: name, header, rows, rowNumbers };
}

function decodeText(bytes: Uint8Array, name: string): string {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new Error(`${name}: the file is no UTF-8 text, expected CSV in UTF-8; save it in that encoding`, {
      cause,
    });
  }
  if (!text.includes("\0")) return text;
  throw new Error(`${name}: the file holds zero bytes, expected CSV text; check that this is the right file`);
}

function checkHeader(header: readonly string[], name: string): void {
  const empty = header.indexOf("");
  if (empty !== -1) {
    throw new Error(
      `${name}: column ${empty + 1} has no name, expected a name for each column in row 1; name it, or save the table ` +
        "without its index",
    );
  }
  const double = header.find((column, place) => header.indexOf(column) !== place);
  if (double !== undefined) {
    throw new Error(`${name}: two columns are called '${double}', expected different names; rename one`);
  }
  if (header.length > 0 && header.every((column) => parseNumber(column) !== undefined)) {
    throw new Error(
      `${name}: row 1 holds numbers alone, expected the names of the columns; add a row of names at the top`,
    );
  }
}

/** A decimal number, written with a point. */
export function parseNumber(text: string): number | undefined {
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : undefined;
}

/** Whether a field says that its value is missing. */
export function isMissing(text: string): boolean {
  return /^(|\?|na|n\/a|nan|null|none)$/i.test(text);
}

/** "data.csv: row 7, column 'age'" */
export function place(table: Table, row: number, column: string): string {
  return `${table.source}: row ${table.rowNumbers[row]}, column '${column}'`;
}
