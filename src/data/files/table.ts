/** Tables as examples, with the column that is learned or without. */
import { DataError } from "../../errors/errors.ts";
import { option, words } from "../../errors/words.ts";
import { type Limits, limitsWith } from "../../limits/limits.ts";
import type { Dataset, Examples, Normalization } from "../dataset.ts";
import { measureNormalization, measureTargets } from "../normalization.ts";
import { defaultTestFraction, splitTest } from "../split.ts";
import type { SourceFile } from "../store.ts";
import { tableWarnings } from "./column-warnings.ts";
import {
  type Column,
  columnValues,
  columnWidth,
  distinct,
  encodeColumns,
  inferColumns,
  numbersOf,
  unknown,
} from "./columns.ts";
import {
  cell,
  nameCell,
  parseCsv,
  requireColumns,
  type Table,
  type TableReading,
  withoutClearedRows,
} from "./csv.ts";
import { fittingNotations, parseNumber, read } from "./notation.ts";

/** How a table becomes examples. */
export interface TableOptions extends Pick<TableReading, "header" | "decimal"> {
  /** The column that is learned. */
  readonly target: string;
  /** classes: its values name classes. values: they are numbers. */
  readonly targets: "classes" | "values";
  /** Columns that are left out. */
  readonly ignore?: readonly string[];
  /** Columns that are categories even where their values are numbers. */
  readonly categorical?: readonly string[];
  /** A table of its own to test on. Default: a part of the rows. */
  readonly test?: SourceFile;
  /** A table of its own to validate on. Default: none. */
  readonly validation?: SourceFile;
  /** Share of the rows set aside for testing. Default 0.2; 1 takes all. */
  readonly testFraction?: number;
  /** The columns that a trained model takes. Default: decided by the values. */
  readonly columns?: readonly Column[];
  /** The classes that a trained model knows. Default: the values of the target, sorted. */
  readonly classNames?: readonly string[];
  /** What the files may ask for. */
  readonly limits?: Partial<Limits>;
}

/**
 * Reads a CSV or JSON Lines file, gzipped or not, as examples: inputs [columns] (float, as they are; categories one-hot), and classes or numbers to
 * learn.
 * @throws when the table does not hold together; the message names file, row and column.
 */
export function tableDataset(file: SourceFile, options: TableOptions): Dataset {
  const { header, decimal } = options;
  const reading = { header, decimal, limits: limitsWith(options.limits) };
  const table = withoutClearedRows(parseCsv(file, reading));
  const { ignore = [], categorical = [], target } = options;
  for (const [names, name] of [
    [[target], "target"],
    [ignore, "ignore"],
    [categorical, "categorical"],
  ] as const)
    requireColumns(table, names, name);
  const inputs = table.header.filter((name) => name !== target && !ignore.includes(name));
  if (inputs.length === 0) {
    throw new DataError(
      `${table.source}: no column is left beside the target '${target}', expected at least one to learn from; ignore fewer`,
      { source: table.source },
    );
  }
  const columns = options.columns ?? inferColumns(table, inputs, categorical);
  const classNames =
    options.targets === "classes"
      ? (options.classNames ?? classesOf(table, target, categorical.includes(target)))
      : undefined;
  const all = asExamples(table, columns, target, classNames);
  const read = (own: SourceFile) =>
    asExamples(withoutClearedRows(parseCsv(own, reading)), columns, target, classNames);
  const { train, test } = options.test
    ? { train: all, test: read(options.test) }
    : splitTest(all, options.testFraction ?? defaultTestFraction, table.source);
  return {
    name: "csv",
    classes: classNames?.length ?? 0,
    classNames,
    columns,
    normalization: leavingCategories(measureNormalization(train), columns),
    targetNormalization: classNames ? undefined : measureTargets(train),
    train,
    test,
    ...(options.validation && { validation: read(options.validation) }),
    warnings: tableWarnings(table, columns, target, classNames),
  };
}

/**
 * The names of a table's columns, in their order, with what its first row holds: for a program that asks which one is learned.
 *
 * @throws as `tableDataset` where the table does not hold together
 */
export function tableColumns(
  file: SourceFile,
  { header, decimal, limits }: Pick<TableOptions, "header" | "decimal" | "limits"> = {},
): { readonly name: string; readonly first: string }[] {
  const table = withoutClearedRows(parseCsv(file, { header, decimal, limits: limitsWith(limits) }));
  return table.header.map((name, index) => ({ name, first: table.rows[0]?.[index] ?? "" }));
}

/** How a table without a target becomes inputs. */
export interface TableInputOptions
  extends Pick<TableOptions, "header" | "decimal" | "ignore" | "categorical" | "columns" | "limits"> {
  /** The column that was learned, where the table has it: it is no input. */
  readonly target?: string;
}

/**
 * Reads a table as inputs alone, [columns] as `tableDataset` has them, for a model that is asked what it says of them.
 *
 * @throws when the table does not hold together, or lacks a column that the model takes; the message names file, row and column
 */
export function tableInputs(
  file: SourceFile,
  { header, decimal, limits, target, ignore = [], categorical = [], columns: known }: TableInputOptions,
): { readonly table: Table; readonly inputs: Omit<Examples, "labels"> } {
  const table = withoutClearedRows(parseCsv(file, { header, decimal, limits: limitsWith(limits) }));
  requireColumns(table, ignore, "ignore");
  requireColumns(table, categorical, "categorical");
  const left = table.header.filter((name) => name !== target && !ignore.includes(name));
  const columns = known ?? inferColumns(table, left, categorical);
  return {
    table,
    inputs: {
      count: table.rows.length,
      shape: [columns.reduce((total, column) => total + columnWidth(column), 0)],
      inputs: encodeColumns(table, columns),
    },
  };
}

/** The classes that the target's values name. */
function classesOf(table: Table, target: string, isCategorical: boolean): string[] {
  const values = columnValues(table, target, isCategorical ? "all" : []);
  const [notation] = fittingNotations(values);
  const number = (value: string) => (notation ? read(value, notation) : parseNumber(value));
  const fraction = values.findIndex((value) => !Number.isInteger(number(value) ?? 0));
  const classes = distinct(values);
  const areMany = classes.length > 20 && 2 * classes.length > values.length;
  if (fraction !== -1 || areMany) {
    const what = areMany ? `${classes.length} different values` : `'${values[fraction]}'`;
    throw new DataError(
      words`${nameCell(table, Math.max(0, fraction), target)}: the target holds ${what}, expected the names or numbers of
        classes; for target values use ${option("targets", "values")}`,
      cell(table, Math.max(0, fraction), target),
    );
  }
  if (classes.length < 2) {
    throw new DataError(
      words`${table.source}: the target '${target}' is '${classes[0]}' in every row, expected at least 2 classes;
        choose another column (${option("target")})`,
      { source: table.source },
    );
  }
  return classes;
}

function asExamples(
  table: Table,
  columns: readonly Column[],
  target: string,
  classNames: readonly string[] | undefined,
): Examples {
  const inputs = encodeColumns(table, columns);
  const count = table.rows.length;
  return {
    count,
    shape: [columns.reduce((total, column) => total + columnWidth(column), 0)],
    inputs,
    labels: classNames
      ? classNumbers(table, target, classNames)
      : Float32Array.from(numbersOf(table, target)),
  };
}

function classNumbers(table: Table, target: string, classNames: readonly string[]): Int32Array {
  const numbers = new Map(classNames.map((name, number) => [name, number]));
  return Int32Array.from(columnValues(table, target, classNames), (value, row) => {
    const number = numbers.get(value);
    if (number === undefined) throw unknown(table, row, target, value, classNames);
    return number;
  });
}

/** Categories stay 0 and 1. */
function leavingCategories(measured: Normalization, columns: readonly Column[]): Normalization {
  const isNumber = columns.flatMap((column) =>
    Array.from({ length: columnWidth(column) }, () => column.kind === "number"),
  );
  const kept = (values: number | readonly number[], otherwise: number) =>
    isNumber.map((is, at) =>
      is ? (typeof values === "number" ? values : (values[at] as number)) : otherwise,
    );
  return { mean: kept(measured.mean, 0), standardDeviation: kept(measured.standardDeviation, 1) };
}
