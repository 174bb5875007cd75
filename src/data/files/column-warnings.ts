import { option, type Words, words } from "../../errors/words.ts";
import { type Column, columnValues, notationOf, numbersOf } from "./columns.ts";
import { nameCell, type Table } from "./csv.ts";
import { equalAsFloat32, losesSpread } from "./float32.ts";
import { describeNotation, fittingNotations, parseNumber, read } from "./notation.ts";

/** Fewer rows than this do not tell what a column is. */
const fewRows = 10;

/** What may not be meant in the columns that become inputs, and in the target, in sentences. */
export function tableWarnings(
  table: Table,
  columns: readonly Column[],
  target: string,
  classNames: readonly string[] | undefined,
): Words[] {
  const ofInputs = columns.flatMap((column) =>
    column.kind === "number"
      ? [...numberWarnings(table, column.name), ...indexWarnings(table, column.name)]
      : [
          ...caseWarnings(table, column.name, column.categories),
          ...identifierWarnings(table, column.name, column.categories),
        ],
  );
  return [
    ...ofInputs,
    ...(classNames
      ? [...caseWarnings(table, target, classNames), ...valueWarnings(table, target, classNames)]
      : numberWarnings(table, target)),
  ];
}

/** Classes that are numbers, and too many for the rows: such targets are mostly values. */
function valueWarnings(table: Table, target: string, classNames: readonly string[]): Words[] {
  const rows = table.rows.length;
  const areValues = classNames.every((name) => parseNumber(name) !== undefined);
  if (!areValues || classNames.length <= 20 || 10 * classNames.length <= rows) return [];
  return [
    words`${table.source}: the target '${target}' has ${classNames.length} different numbers in ${rows} rows, and each
      becomes a class. For target values use ${option("targets", "values")}`,
  ];
}

function numberWarnings(table: Table, name: string): Words[] {
  const values = columnValues(table, name);
  const notation = notationOf(table, name, values);
  if (notation === undefined) return [];
  const warnings: Words[] = [];
  const isPlain = values.every((value) => parseNumber(value) !== undefined);
  if (isPlain && notation.decimal === "," && table.decimal === undefined) {
    const at = values.findIndex((value) => value.includes("."));
    warnings.push(
      words`${nameCell(table, at, name)}: '${values[at]}' is read as ${read(values[at] ?? "", notation)}, because other
        columns write numbers like ${describeNotation({ ...notation, currency: "", divisor: 1 })}. If it has a decimal
        point, say so (${option("decimal", "point")})`,
    );
  }
  if (
    table.separator === ";" &&
    table.decimal === undefined &&
    notation.decimal === "." &&
    isUnclear(values)
  ) {
    const at = values.findIndex((value) => value.includes("."));
    warnings.push(
      words`${nameCell(table, at, name)}: '${values[at]}' is read as ${read(values[at] ?? "", notation)}, and nothing in
        the table tells that its point stands between thousands. If it does, say so (${option("decimal", "comma")}),
        otherwise ${option("decimal", "point")}`,
    );
  }
  const zeros = values.findIndex((value) => /^0\d/.test(value));
  if (zeros !== -1) {
    warnings.push(
      words`${nameCell(table, zeros, name)}: '${values[zeros]}' is read as the number
        ${read(values[zeros] ?? "", notation)}. If it is a code, such as a postal code, take the column for categories
        (${option("categorical", [name])}) or leave it out (${option("ignore", [name])})`,
    );
  }
  const numbers = numbersOf(table, name, values, notation);
  const pair = equalRows(values, numbers);
  if (pair !== undefined) {
    const [first, second] = pair;
    warnings.push(
      words`${nameCell(table, first, name)}: '${values[first]}' and '${values[second]}' (row ${table.rowNumbers[second]})
        are the same number for 32-bit floats, ${Math.fround(read(values[first] ?? "", notation) ?? 0)}. Subtract a
        number near them, or divide; or leave the column out (${option("ignore", [name])})`,
    );
  }
  if (pair === undefined && losesSpread(numbers)) {
    warnings.push(
      words`${table.source}: column '${name}' differs from row to row by less than 32-bit floats tell apart at its size
        (row ${table.rowNumbers[0]}: '${values[0]}'). Subtract a number near its values, or multiply; or leave the
        column out (${option("ignore", [name])})`,
    );
  }
  return warnings;
}

/** Whether two notations fit. */
function isUnclear(values: readonly string[]): boolean {
  return fittingNotations(values).length > 1;
}

/** Numbers that count the rows, as the index that pandas writes. */
function indexWarnings(table: Table, name: string): Words[] {
  const values = columnValues(table, name);
  const first = parseNumber(values[0] ?? "") ?? -1;
  const counts =
    (first === 0 || first === 1) && values.every((value, row) => parseNumber(value) === first + row);
  if (!counts || values.length < fewRows) return [];
  return [
    words`${table.source}: column '${name}' counts the rows (${first}, ${first + 1}, …), as an index does, and a model
      learns nothing from it for other rows. Leave it out (${option("ignore", [name])})`,
  ];
}

/** Categories of which most come once: names, identifiers, dates. */
function identifierWarnings(table: Table, name: string, categories: readonly string[]): Words[] {
  const rows = table.rows.length;
  if (rows < fewRows || 2 * categories.length <= rows) return [];
  return [
    words`${table.source}: column '${name}' has ${categories.length} different values in ${rows} rows
      ('${categories[0]}', '${categories[1]}', …), and each becomes an input. If they are names, dates or times, leave
      the column out (${option("ignore", [name])}), or write them as numbers`,
  ];
}

/** Categories, or classes, that are the same but for capital letters and spaces. */
function caseWarnings(table: Table, name: string, categories: readonly string[]): Words[] {
  const seen = new Map<string, string>();
  for (const category of categories) {
    const folded = category.normalize("NFKC").toLowerCase().replaceAll(/\s+/g, " ");
    const other = seen.get(folded);
    if (other !== undefined) {
      return [
        words`${table.source}: column '${name}' has '${other}' and '${category}', which count as two. If they are one,
          write them alike`,
      ];
    }
    seen.set(folded, category);
  }
  return [];
}

/** Two rows whose whole numbers differ but become the same 32-bit float. */
function equalRows(texts: readonly string[], numbers: Float64Array): readonly [number, number] | undefined {
  const pair = equalAsFloat32(numbers);
  if (pair !== undefined) return pair;
  // Digits that doubles have lost already.
  const seen = new Map<number, number>();
  for (const [row, value] of numbers.entries()) {
    if (Number.isSafeInteger(value) || !Number.isInteger(value)) continue;
    const other = seen.get(value);
    const digits = (at: number) => (texts[at] ?? "").replaceAll(/\D/g, "");
    if (other === undefined) seen.set(value, row);
    else if (digits(other).length === digits(row).length && digits(other) !== digits(row))
      return [other, row];
  }
  return undefined;
}
