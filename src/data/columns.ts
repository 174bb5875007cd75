import { isMissing, parseNumber, place, type Table } from "./csv.ts";

/** How a column of a table becomes inputs: a number as it is, or one input for each category (1 for its own). */
export type Column =
  | { readonly name: string; readonly kind: "number" }
  | { readonly name: string; readonly kind: "category"; readonly categories: readonly string[] };

/** More categories than this need to be asked for, because most such columns are identifiers. */
const mostCategories = 100;

/** How many inputs a column makes. */
export function columnWidth(column: Column): number {
  return column.kind === "number" ? 1 : column.categories.length;
}

/**
 * Decides what each column is: a number where all of its values are numbers, otherwise categories, sorted.
 * @param names the columns that become inputs.
 * @param categorical columns that are categories even where their values are numbers.
 * @throws when a value is missing, most but not all values are numbers, or there are very many categories.
 */
export function inferColumns(
  table: Table,
  names: readonly string[],
  categorical: readonly string[] = [],
): Column[] {
  return names.map((name) => {
    const values = columnValues(table, name);
    if (categorical.includes(name)) return { name, kind: "category", categories: distinct(values) };
    const other = values.findIndex((value) => parseNumber(value) === undefined);
    if (other === -1) return { name, kind: "number" };
    const numbers = values.filter((value) => parseNumber(value) !== undefined).length;
    if (2 * numbers > values.length) {
      throw new Error(
        `${place(table, other, name)}: '${values[other]}' is no number, expected one as in most rows (with a decimal ` +
          `point); correct it, or take the column for categories (--categorical ${quoted(name)})`,
      );
    }
    const categories = distinct(values);
    if (categories.length > mostCategories) {
      throw new Error(
        `${table.source}: column '${name}' has ${categories.length} different values, expected at most ` +
          `${mostCategories} categories; leave it out (--ignore-columns ${quoted(name)}), or ask for them ` +
          `(--categorical ${quoted(name)})`,
      );
    }
    return { name, kind: "category", categories };
  });
}

/**
 * The columns' inputs, row by row: [rows, sum of the columns' widths].
 * @throws when the table lacks a column, a value is missing or not of its column's kind, or a category is unknown.
 */
export function encodeColumns(table: Table, columns: readonly Column[]): Float32Array {
  const width = columns.reduce((total, column) => total + columnWidth(column), 0);
  const out = new Float32Array(table.rows.length * width);
  let start = 0;
  for (const column of columns) {
    const values = columnValues(table, column.name);
    if (column.kind === "number") {
      numbersOf(table, column.name, values).forEach((value, row) => {
        out[row * width + start] = value;
      });
    } else {
      const numbers = new Map(column.categories.map((category, number) => [category, number]));
      for (const [row, value] of values.entries()) {
        const number = numbers.get(value);
        if (number === undefined) throw unknown(table, row, column.name, value, column.categories);
        out[row * width + start + number] = 1;
      }
    }
    start += columnWidth(column);
  }
  return out;
}

/**
 * The numbers of a column.
 * @throws when a value is missing, is no number, or is too large for 32-bit floats.
 */
export function numbersOf(table: Table, name: string, values = columnValues(table, name)): Float32Array {
  return Float32Array.from(values, (text, row) => {
    const value = parseNumber(text);
    if (value !== undefined && Number.isFinite(Math.fround(value))) return value;
    throw new Error(
      `${place(table, row, name)}: '${text}' is no number that 32-bit floats hold, expected one (with a decimal point); ` +
        "correct it",
    );
  });
}

/** The values of a column; none is missing. */
export function columnValues(table: Table, name: string): string[] {
  const at = table.header.indexOf(name);
  if (at === -1) {
    throw new Error(
      `${table.source}: no column '${name}', expected one of ${table.header.join(", ")}; correct the name`,
    );
  }
  const values = table.rows.map((fields) => fields[at] as string);
  const missing = values.findIndex(isMissing);
  if (missing === -1) return values;
  const more = values.filter(isMissing).length - 1;
  throw new Error(
    `${place(table, missing, name)}: the value is missing ('${values[missing]}')${more > 0 ? `, as in ${more} more rows` : ""}; ` +
      `expected one in each row. Fill it in, take the row out, or leave the column out (--ignore-columns ${quoted(name)})`,
  );
}

/** Sorted: whole numbers by value, everything else by code units. */
export function distinct(values: readonly string[]): string[] {
  const found = [...new Set(values)];
  return found.every((value) => /^[+-]?\d+$/.test(value))
    ? found.sort((a, b) => Number(a) - Number(b))
    : found.sort();
}

export function unknown(
  table: Table,
  row: number,
  name: string,
  value: string,
  known: readonly string[],
): Error {
  const list = known.length > 12 ? [...known.slice(0, 12), "…"] : known;
  return new Error(
    `${place(table, row, name)}: '${value}' is new, expected one of ${list.join(", ")}; correct it, or train on data ` +
      "that has it",
  );
}

function quoted(name: string): string {
  return /^[\w.-]+$/.test(name) ? name : `'${name}'`;
}
