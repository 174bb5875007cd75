/** Tables of comma-separated text. */
import Papa from "papaparse";
import { DataError, SettingError } from "../../errors/errors.ts";
import { similarNames } from "../../errors/similar-names.ts";
import { option, words } from "../../errors/words.ts";
import { defaultLimits, howToRaise, type Limits } from "../../limits/limits.ts";
import type { SourceFile } from "../store.ts";
import { parseJsonTable } from "./json-table.ts";
import { parseNumber } from "./notation.ts";
import { tableText } from "./table-text.ts";

/** A table of text: what a CSV or JSON Lines file says, before columns have types. */
export interface Table {
  /** The file's name, for messages. */
  readonly source: string;
  readonly header: readonly string[];
  /** As many fields as the header has. */
  readonly rows: readonly (readonly string[])[];
  /** The number of each row as spreadsheets count: the header is row 1, empty rows count. */
  readonly rowNumbers: readonly number[];
  /** What separates fields. */
  readonly separator: string;
  /** The decimal sign of columns that do not tell it. */
  readonly decimal?: "." | ",";
}

export interface TableReading {
  /** Whether row 1 names the columns. Default: where it looks like it, and otherwise the table is refused. Without: "1", "2", … */
  readonly header?: boolean;
  /** The decimal sign of columns that do not tell it. Default: that of the other columns. */
  readonly decimal?: "point" | "comma";
  readonly limits?: Limits;
  /** How many rows of the file stand before this text, where it is a part of one. Default 0. */
  readonly rowsBefore?: number;
}

const separators = [",", ";", "\t", "|"];

/**
 * Reads a table in UTF-8 (or UTF-16 with a byte order mark), gzipped or not: CSV with a header, JSON Lines, or a JSON array
 * of objects; which of them is decided by its content. CSV's fields are separated by commas, semicolons, tabs or bars,
 * whichever makes sense of the first rows, or by what a first line `sep=;` says; quoted fields may hold separators, line
 * breaks and doubled quotes (RFC 4180). Empty rows are passed over.
 * @throws when the bytes are no such text, quotes do not match, a row has another number of fields than the header, or the
 * header is missing or has empty or equal names.
 */
export function parseCsv(file: SourceFile, reading: TableReading = {}): Table {
  return parseTable(tableText(file, reading.limits ?? defaultLimits), file.name, reading);
}

/** As `parseCsv`, of its text. @throws as `parseCsv`, for what is no table */
export function parseTable(text: string, name: string, reading: TableReading = {}): Table {
  const limits = reading.limits ?? defaultLimits;
  const decimal = reading.decimal && (reading.decimal === "comma" ? "," : ".");
  const json = parseJsonTable(text, name, reading.rowsBefore);
  // Programs that write JSON write points.
  const table = json ? { ...json, source: name, separator: "," } : fromCsv(text, name, reading, limits);
  if (table.rows.length === 0) {
    throw new DataError(
      `${name}: no rows below the header, expected at least one; check that the file is whole`,
      { source: name },
    );
  }
  return { ...table, decimal };
}

function fromCsv(text: string, name: string, reading: TableReading, limits: Limits): Table {
  const content = text.slice(announcedSeparator(text)?.[0].length ?? 0);
  const separator = separatorIn(text);
  checkCells(content, separator, name, limits);
  const { data, errors } = Papa.parse<string[]>(content, { delimiter: separator });
  const problem = errors.find(({ type }) => type !== "Delimiter");
  if (problem) {
    throw new DataError(
      `${name}: row ${(reading.rowsBefore ?? 0) + (problem.row ?? 0) + 1}: ${problem.message}, expected quotes around whole fields and doubled ` +
        'inside them ("a ""b"" c"); correct the quotes',
      { source: name },
    );
  }
  const trimmed = data.map((fields) => fields.map((field) => withoutFormula(field.trim())));
  const start = Math.max(
    0,
    trimmed.findIndex((fields) => !isCleared(fields)),
  );
  const hasHeader = reading.header ?? true;
  const whole = withoutEmptyColumn(trimmed.slice(start));
  const [first = [], ...rest] = hasHeader ? withoutIndex(whole) : whole;
  const header = hasHeader ? first : first.map((_, column) => `${column + 1}`);
  const below = hasHeader ? rest : [first, ...rest];
  if (hasHeader) checkHeader(first, below, name, reading.header === undefined);
  const rows: string[][] = [];
  const rowNumbers: number[] = [];
  for (const [index, fields] of below.entries()) {
    if (isEmpty(fields)) continue;
    const number = (reading.rowsBefore ?? 0) + start + index + (hasHeader ? 2 : 1);
    if (fields.length !== header.length) {
      throw new DataError(
        `${name}: row ${number} has ${fields.length} fields, expected ${header.length} as in ` +
          `${hasHeader ? "the header" : "row 1"}; ${remedyOfWidth(header, fields)}`,
        { source: name },
      );
    }
    rows.push(fields);
    rowNumbers.push(number);
  }
  return { source: name, header, rows, rowNumbers, separator };
}

/** A first line that says what separates fields, as spreadsheets understand it. */
function announcedSeparator(text: string): RegExpExecArray | null {
  return /^"?sep=(.)"?(?:\r\n|\r|\n)/i.exec(text);
}

/** What separates the fields of a CSV text. */
export function separatorIn(text: string): string {
  return announcedSeparator(text)?.[1] ?? separatorOf(text);
}

function isEmpty(fields: readonly string[]): boolean {
  return fields.length === 1 && fields[0] === "";
}

/** What spreadsheets write for rows that were cleared: separators alone. */
function isCleared(fields: readonly string[]): boolean {
  return fields.every((field) => field === "");
}

/** The table without rows that hold nothing. */
export function withoutClearedRows(table: Table): Table {
  const kept = table.rows.flatMap((fields, row) => (isCleared(fields) ? [] : [row]));
  if (kept.length === table.rows.length || kept.length === 0) return table;
  const at = <Item>(list: readonly Item[]) => kept.map((row) => list[row] as Item);
  return { ...table, rows: at(table.rows), rowNumbers: at(table.rowNumbers) };
}

/** ="007": text as spreadsheets write it to keep its zeros. */
function withoutFormula(field: string): string {
  return /^="([^"]*)"$/.exec(field)?.[1] ?? field;
}

/** What to do about a row of another width than row 1. */
function remedyOfWidth(header: readonly string[], fields: readonly string[]): string {
  if (header[0]?.startsWith("#"))
    return `row 1 is '${header.join(" ")}': take out the lines of comments, so that it names the columns`;
  if (fields.some((field) => /^["']/.test(field)))
    return 'quotes count where a field begins with them ("): take out what stands before them, and make single ones double';
  return "correct the row, or put quotes around fields that hold separators";
}

/** A separator at the end of each row makes a column without name and values. */
function withoutEmptyColumn(rows: string[][]): string[][] {
  const width = rows[0]?.length ?? 0;
  const hasIt =
    width > 1 && rows.every((fields) => isEmpty(fields) || fields.length < width || fields[width - 1] === "");
  return hasIt ? rows.map((fields) => fields.slice(0, width - 1)) : rows;
}

/** Without a first column that has no name and counts the rows, as pandas writes its index. */
function withoutIndex(rows: string[][]): string[][] {
  const [header = [], ...below] = rows;
  if (header.length < 2 || header[0] !== "") return rows;
  const counts = below.filter((fields) => !isEmpty(fields)).map(([field = ""]) => field);
  const isCounted = counts.every(
    (field, row) => /^\d+$/.test(field) && Number(field) === Number(counts[0]) + row,
  );
  return isCounted ? rows.map((fields) => (isEmpty(fields) ? fields : fields.slice(1))) : rows;
}

/**
 * The separator under which the first rows have as many fields as the header, more than one, and hold no other separators;
 * commas inside of fields may be decimal.
 */
function separatorOf(text: string): string {
  const ranked = separators.flatMap((separator, order) => {
    const { data } = Papa.parse<string[]>(text, { delimiter: separator, preview: 100 });
    const [header = [], ...rows] = data.filter((fields) => !isEmpty(fields));
    if (header.length < 2) return [];
    const fields = [header, ...rows].flat();
    const others = separators.filter((other) => other !== separator && other !== ",");
    const stray =
      fields.filter((field) => others.some((other) => field.includes(other))).length / fields.length;
    const even = rows.filter((row) => row.length === header.length).length / Math.max(1, rows.length);
    return [{ separator, even, stray, width: header.length, order }];
  });
  ranked.sort((a, b) => b.even - a.even || a.stray - b.stray || b.width - a.width || a.order - b.order);
  return ranked[0]?.separator ?? ",";
}

/** Counts lines and columns, before fields take memory. */
function checkCells(text: string, separator: string, name: string, limits: Limits): void {
  if (text.length < limits.cells) return;
  let lines = 1;
  for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) lines++;
  const width = text.slice(0, text.indexOf("\n")).split(separator).length;
  if (lines * width <= limits.cells) return;
  throw new DataError(
    words`${name}: about ${(lines * width).toLocaleString("en")} fields; ${howToRaise("cells", limits)}`,
    { source: name },
  );
}

function checkHeader(
  header: readonly string[],
  below: readonly string[][],
  name: string,
  isGuessed: boolean,
): void {
  const remedy = words`add a row of names at the top, or say that there is none (${option("header", false)})`;
  if (isGuessed && header.length > 0 && header.every((column) => parseNumber(column) !== undefined)) {
    throw new DataError(
      words`${name}: row 1 holds numbers alone, expected the names of the columns; ${remedy}`,
      {
        source: name,
      },
    );
  }
  const value = isGuessed ? valueInHeader(header, below) : undefined;
  if (value !== undefined) {
    throw new DataError(
      words`${name}: row 1 holds values such as '${value}', expected the names of the columns; ${remedy}. If it does
        name them, say so (${option("header", true)})`,
      { source: name },
    );
  }
  const empty = header.indexOf("");
  if (empty !== -1) {
    throw new DataError(
      `${name}: column ${empty + 1} has no name, expected a name for each column in row 1; name it, or save the table ` +
        "without its index",
      { source: name },
    );
  }
  const double = header.find((column, nameCell) => header.indexOf(column) !== nameCell);
  if (double !== undefined) {
    throw new DataError(
      words`${name}: two columns are called '${double}', expected different names; rename one, or say that row 1 names
        no columns (${option("header", false)})`,
      { source: name },
    );
  }
}

/**
 * What tells that the first row is one like the others: a number with a fraction or sign, or, beside whole numbers or
 * everywhere, text that comes again in its own column.
 */
function valueInHeader(header: readonly string[], below: readonly string[][]): string | undefined {
  const numbers = header.filter((field) => parseNumber(field) !== undefined);
  const fraction = numbers.find((field) => !/^\d+$/.test(field));
  if (fraction !== undefined) return fraction;
  const texts = header.flatMap((field, column) =>
    parseNumber(field) === undefined && field !== "" ? [column] : [],
  );
  const again = texts.filter((column) => below.some((fields) => fields[column] === header[column]));
  const isValue = numbers.length > 0 ? again.length > 0 : again.length === header.length && header.length > 1;
  return isValue ? header[again[0] ?? 0] : undefined;
}

/** Where a cell is, as errors about it say: the rows of a table are counted as spreadsheets count. */
export function cell({ source, rowNumbers }: Table, row: number, column: string) {
  return { source, row: rowNumbers[row], column };
}

/** "data.csv: row 7, column 'age'" */
export function nameCell(table: Table, row: number, column: string): string {
  return `${table.source}: row ${table.rowNumbers[row]}, column '${column}'`;
}

/** @param setting the option that names the columns @throws SettingError for one that the table does not have */
export function requireColumns(table: Table, names: readonly string[], setting: string): void {
  const missing = names.find((name) => !table.header.includes(name));
  if (missing === undefined) return;
  const alone =
    table.header.length === 1
      ? "; there is one column alone: fields are separated by commas, semicolons, tabs or bars, or by what a first line sep=… says"
      : "";
  throw new SettingError(
    words`${table.source}: no column '${missing}', expected one of ${table.header.join(", ")}; correct
      ${option(setting)}${alone}`,
    { option: setting, neighbours: similarNames(missing, table.header) },
  );
}
