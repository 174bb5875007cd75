import Papa from "papaparse";
import { parseCsv } from "../data/files/csv.ts";
import { SettingError, StorageError } from "../errors/errors.ts";
import { option, words } from "../errors/words.ts";
import type { Column, Row } from "./study.ts";

/** The header line of a CSV file. */
export function encodeHeader(columns: readonly Column[]): string {
  return `${Papa.unparse([columns.map(({ name }) => name)])}\n`;
}

/**
 * Rows as CSV lines, numbers with all their digits.
 * @throws when a row lacks a column that is not optional, has another, or holds the other kind of value
 */
export function encodeRows(columns: readonly Column[], rows: readonly Row[]): string {
  if (rows.length === 0) return "";
  const lines = rows.map((row) => {
    const stray = Object.keys(row).find((name) => !columns.some((column) => column.name === name));
    if (stray !== undefined)
      throw new SettingError(`A row has the column '${stray}', which the study does not list; list it.`, {
        option: "rows",
      });
    return columns.map((column) => {
      const value = row[column.name];
      if (
        value === undefined
          ? column.optional
          : typeof value === (column.kind === "number" ? "number" : "string")
      )
        return value === undefined ? "" : String(value);
      throw new SettingError(
        `A row's column '${column.name}' holds ${JSON.stringify(value)}, expected a ${column.kind}; correct the study.`,
        { option: "rows" },
      );
    });
  });
  return `${Papa.unparse(lines, { newline: "\n" })}\n`;
}

/**
 * Reads what `encodeHeader` and `encodeRows` wrote.
 * @param source name of the file, for messages
 * @throws when the bytes are no such table, naming row and column
 */
export function decodeRows(source: string, bytes: Uint8Array, columns: readonly Column[]): readonly Row[] {
  const header = encodeHeader(columns);
  if (new TextDecoder().decode(bytes) === header) return [];
  const table = parseCsv({ name: source, bytes });
  const expected = columns.map(({ name }) => name).join(",");
  if (table.header.join(",") !== expected) {
    throw new StorageError(
      words`${source}: the header is '${table.header.join(",")}', expected '${expected}'; restore the file, or start
        again in another folder (${option("store")}).`,
      { path: source },
    );
  }
  return table.rows.map((fields, index) =>
    Object.fromEntries(
      columns.map((column, position) => {
        const field = fields[position] as string;
        const value = parseField(field, column);
        if (value !== undefined || (field === "" && column.optional)) return [column.name, value];
        throw new StorageError(
          words`${source}: row ${table.rowNumbers[index]}, column '${column.name}' holds '${field}', expected a
            ${column.kind}; restore the file, or start again in another folder (${option("store")}).`,
          { path: source },
        );
      }),
    ),
  );
}

function parseField(field: string, { kind }: Column): number | string | undefined {
  if (kind === "text") return field === "" ? undefined : field;
  if (field === "NaN") return Number.NaN;
  return field !== "" && !Number.isNaN(Number(field)) ? Number(field) : undefined;
}
