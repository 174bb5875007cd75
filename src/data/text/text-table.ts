/** Texts with their labels out of a table's columns. */
import { DataError } from "../../errors/errors.ts";
import { type Limits, limitsWith } from "../../limits/limits.ts";
import { cell, nameCell, parseCsv, requireColumns, type Table, withoutClearedRows } from "../files/csv.ts";
import type { SourceFile } from "../store.ts";
import type { TextRow } from "./encode-texts.ts";
import type { TextPair } from "./pair-dataset.ts";
import type { LabelledText } from "./text-dataset.ts";

/** Which columns hold what is read. */
export interface TextColumns {
  /** The text, or the first one of a pair. */
  readonly text: string;
  /** The second text of a pair. */
  readonly pair?: string;
}

/** How a table is read. */
export interface TextTableOptions extends TextColumns {
  /** Whether row 1 names the columns. Default: where it looks like it. */
  readonly header?: boolean;
  /** What the file may ask for. */
  readonly limits?: Partial<Limits>;
}

/** The texts of a table's rows, and the table. @throws as `labelledTexts` */
export function textRows(
  file: SourceFile,
  { header, limits, ...columns }: TextTableOptions,
): { readonly table: Table; readonly rows: readonly TextRow[] } {
  const table = withoutClearedRows(parseCsv(file, { header, limits: limitsWith(limits) }));
  return { table, rows: textsOf(table, columns) };
}

function textsOf(table: Table, { text, pair }: TextColumns): TextRow[] {
  const [textAt, pairAt] = [
    columnOf(table, text, "text"),
    pair === undefined ? undefined : columnOf(table, pair, "pair"),
  ];
  return table.rows.map((fields): TextRow => {
    const first = fields[textAt] ?? "";
    return pairAt === undefined ? first : [first, fields[pairAt] ?? ""];
  });
}

/**
 * Reads a CSV or JSON Lines file, gzipped or not, as texts with what is learned of them.
 *
 * @param options `label`: the column that is learned
 * @throws DataError when the table does not hold together or a row has no label; SettingError for a column that it does not have
 */
export function labelledTexts(
  file: SourceFile,
  options: TextTableOptions & { readonly label: string },
): LabelledText[] {
  return labelledRows(textRows(file, options).table, options);
}

/**
 * Reads a CSV or JSON Lines file, gzipped or not, as pairs of texts, one a row, for `pairDataset`.
 *
 * @throws DataError when the table does not hold together or a row has an empty text; SettingError for a column that it does not have
 */
export function textPairs(
  file: SourceFile,
  options: TextTableOptions & { readonly pair: string },
): TextPair[] {
  const { table, rows } = textRows(file, options);
  return rows.map((row, index): TextPair => {
    const [first, second] = [row].flat() as [string, string];
    const empty = first.trim() === "" ? options.text : second.trim() === "" ? options.pair : undefined;
    if (empty === undefined) return [first, second];
    throw new DataError(
      `${nameCell(table, index, empty)} is empty, expected a text of a pair; fill it in, or leave the row out.`,
      cell(table, index, empty),
    );
  });
}

/** The texts of a table with what is learned of them. @throws as `labelledTexts` */
export function labelledRows(
  table: Table,
  options: TextColumns & { readonly label: string },
): LabelledText[] {
  const labelAt = columnOf(table, options.label, "label");
  return textsOf(table, options).map((row, index) => {
    const label = table.rows[index]?.[labelAt] ?? "";
    if (label.trim() === "") {
      throw new DataError(
        `${nameCell(table, index, options.label)} is empty, expected what is learned; give a label, or leave the row out.`,
        cell(table, index, options.label),
      );
    }
    const at = `${table.source}: row ${table.rowNumbers[index]}`;
    return typeof row === "string" ? { text: row, label, at } : { text: row[0], pair: row[1], label, at };
  });
}

function columnOf(table: Table, name: string, setting: string): number {
  requireColumns(table, [name], setting);
  return table.header.indexOf(name);
}
