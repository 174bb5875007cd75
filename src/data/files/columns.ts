/** What the columns of a table are, and the numbers that they become. */
import { DataError } from "../../errors/errors.ts";
import { option, words } from "../../errors/words.ts";
import { cell, nameCell, type Table } from "./csv.ts";
import { isMissing } from "./missing.ts";
import {
  firstMisfit,
  fittingNotations,
  looksLikeNumber,
  type Notation,
  parseNumber,
  read,
} from "./notation.ts";

/**
 * How the column with the heading `name` becomes inputs: a number as it is, or one input for each of its `categories` (1 for the
 * row's own, 0 for the others), in their order.
 */
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
    const values = columnValues(table, name, categorical.includes(name) ? "all" : []);
    if (categorical.includes(name)) return { name, kind: "category", categories: distinct(values) };
    if (notationOf(table, name, values) !== undefined) return { name, kind: "number" };
    refuseSpoiledNumbers(table, name, values);
    const categories = distinct(values);
    if (categories.length > mostCategories) {
      throw new DataError(
        words`${table.source}: column '${name}' has ${categories.length} different values, expected at most
          ${mostCategories} categories; leave it out (${option("ignore", [name])}), or ask for them
          (${option("categorical", [name])})`,
        { source: table.source },
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
    const values = columnValues(table, column.name, column.kind === "category" ? column.categories : []);
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

/** Refuses a column of which most values are numbers, or look like some, but not all in one notation. */
function refuseSpoiledNumbers(table: Table, name: string, values: readonly string[]): void {
  const remedy = words`or take the column for categories (${option("categorical", [name])})`;
  const count = (isOne: (value: string) => boolean) => values.filter(isOne).length;
  if (2 * count((value) => parseNumber(value) !== undefined) > values.length) {
    const other = values.findIndex((value) => parseNumber(value) === undefined);
    throw new DataError(
      words`${nameCell(table, other, name)}: '${values[other]}' is no number, expected one as in most rows (with a decimal
        point); correct it, ${remedy}`,
      cell(table, other, name),
    );
  }
  const unit = commonUnit(values);
  if (unit !== undefined) {
    throw new DataError(
      words`${nameCell(table, 0, name)}: '${values[0]}' is a number with the unit '${unit}', as in all rows, expected
        numbers alone; take the unit out, ${remedy}`,
      cell(table, 0, name),
    );
  }
  if (2 * count(looksLikeNumber) <= values.length) return;
  const { row, problem } = firstMisfit(values) ?? { row: 0, problem: "is no number" };
  throw new DataError(
    words`${nameCell(table, row, name)}: '${values[row]}' ${problem}, expected one notation in the whole column, such as
      1234.5, 1,234.5, 1.234,5, 1 234,5 or 1'234.5, with the same sign of currency or percent; correct it, ${remedy}`,
    cell(table, row, name),
  );
}

/** The unit that stands behind the number in each value, where it is the same. */
function commonUnit(values: readonly string[]): string | undefined {
  const units = new Set(
    values.map((value) => /^[-+\u2212]?\d[\d.,'\u2019 ]*\s*([\p{L}°µ/²³]{1,12})$/u.exec(value)?.[1]),
  );
  const [unit] = units;
  return units.size === 1 && new Set(values).size > 1 ? unit : undefined;
}

/**
 * How a column writes its numbers; undefined where its values are no numbers of one notation. Where they do not tell which
 * of "," and "." is the decimal sign, what was said about the table decides, then its other columns; then a point is
 * decimal, and a comma stands between thousands where commas also separate fields.
 * @throws when nothing decides.
 */
export function notationOf(
  table: Table,
  name: string,
  values = columnValues(table, name),
): Notation | undefined {
  const [first, second] = fittingNotations(values);
  if (first === undefined || second === undefined) return first;
  const usual = first.group === "" || table.separator === "," ? "." : undefined;
  const decimal = table.decimal ?? decimalOfOthers(table) ?? usual;
  if (decimal !== undefined) return decimal === first.decimal ? first : second;
  const at = values.findIndex((value) => /[.,]/.test(value));
  const [some, other] = [first, second].map((notation) => read(values[at] ?? "", notation));
  throw new DataError(
    words`${nameCell(table, at, name)}: '${values[at]}' is ${some} or ${other}, and neither this column nor another tells
      which; say which sign is the decimal one (${option("decimal", "point")}, ${option("decimal", "comma")})`,
    cell(table, at, name),
  );
}

/** The decimal sign of the columns that tell one, where they agree. */
function decimalOfOthers(table: Table): "." | "," | undefined {
  const found = new Set(
    table.header.flatMap((_, at) => {
      const values = table.rows.map((fields) => fields[at] as string).filter((value) => !isMissing(value));
      const fitting =
        values.length > 0 && values.some((value) => /[.,]/.test(value)) ? fittingNotations(values) : [];
      return fitting.length === 1 ? fitting.map(({ decimal }) => decimal) : [];
    }),
  );
  const [decimal] = found;
  return found.size === 1 ? decimal : undefined;
}

/**
 * The numbers of a column, in the column's notation.
 * @throws when a value is missing, is no number, or is too large for 32-bit floats.
 */
export function numbersOf(
  table: Table,
  name: string,
  values = columnValues(table, name),
  notation = notationOf(table, name, values),
): Float64Array {
  return Float64Array.from(values, (text, row) => {
    const value = notation ? read(text, notation) : parseNumber(text);
    if (value !== undefined && Number.isFinite(Math.fround(value))) return value;
    const isLarge = value !== undefined || parseNumber(text) !== undefined;
    throw new DataError(
      words`${nameCell(table, row, name)}: '${text}' is no number${isLarge ? " that 32-bit floats hold" : ""}, expected
        one in each row; correct
        it${isLarge ? "" : words`, or, where '${name}' is the target and names classes, use ${option("targets", "classes")}`}`,
      cell(table, row, name),
    );
  });
}

/**
 * The values of a column; none is missing.
 * @param known values that name categories, even where they usually say that a value is missing; "all" for any.
 */
export function columnValues(table: Table, name: string, known: readonly string[] | "all" = []): string[] {
  const at = table.header.indexOf(name);
  if (at === -1) {
    throw new DataError(
      `${table.source}: no column '${name}', expected one of ${table.header.join(", ")}; correct the name`,
      { source: table.source },
    );
  }
  const values = table.rows.map((fields) => fields[at] as string);
  const isAbsent = (value: string) =>
    isMissing(value) && (value === "" || (known !== "all" && !known.includes(value)));
  const missing = values.findIndex(isAbsent);
  if (missing === -1) return values;
  const more = values.filter(isAbsent).length - 1;
  const asCategory =
    values[missing] === "" ||
    notationOf(
      table,
      name,
      values.filter((value) => !isMissing(value)),
    ) !== undefined
      ? ""
      : words`; if '${values[missing]}' is a category, say so (${option("categorical", [name])})`;
  throw new DataError(
    words`${nameCell(table, missing, name)}: the value is missing
      ('${values[missing]}')${more > 0 ? `, as in ${more} more rows` : ""}; expected one in each row. Fill it in, take
      the row out, or leave the column out (${option("ignore", [name])})${asCategory}`,
    cell(table, missing, name),
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
  return new DataError(
    `${nameCell(table, row, name)}: '${value}' is new, expected one of ${list.join(", ")}; correct it, or train on data ` +
      "that has it",
    cell(table, row, name),
  );
}
