/** What the paper's authors measured and chose on closed-form functions. */
import { SettingError } from "../../errors/errors.ts";
import anglesTable from "../reference/angles-functions.json" with { type: "json" };
import ratesTable from "../reference/function-learning-rates.json" with { type: "json" };
import functionsTable from "../reference/functions.json" with { type: "json" };
import type { GradientMethod } from "./optimize.ts";

/** What the authors' published code reached with one method, over its seeds. */
export interface ReferenceRange {
  /** Lowest values of the best seed, of the worst seed, and their mean. */
  readonly min: number;
  readonly max: number;
  readonly mean: number;
}

/** Seeds behind each range. */
export const referenceSeeds = 5;

export const functionsSource = functionsTable.source;
export const anglesFunctionsSource = anglesTable.source;

type Field = number | string;

/** Section 4.2; undefined where the authors' code was not run. */
export function functionReference(
  fn: string,
  n: number,
  { gradient, k }: GradientMethod,
): ReferenceRange | undefined {
  return rangeOf(functionsTable, [fn, n, gradient, k]);
}

/** Section 4.3, Styblinski-Tang in 64 dimensions with tangents at an angle to the first. */
export function angleReference({ gradient, k, angle }: GradientMethod): ReferenceRange | undefined {
  return rangeOf(anglesTable, ["styblinski-tang", 64, gradient, k, angle ?? 0]);
}

/**
 * The learning rate that the authors' search found for a function and a method.
 * @throws where it found none
 */
export function functionLearningRate(fn: string, n: number, method: GradientMethod): number {
  const { gradient, k, angle } = method;
  const row =
    angle === undefined
      ? find(ratesTable.rows, [fn, n, gradient, k])
      : find(anglesTable.rows, [fn, n, gradient, k, angle]);
  const rate = row?.[angle === undefined ? 4 : 5];
  if (typeof rate === "number") return rate;
  const at = angle === undefined ? "" : ` at ${angle}°`;
  throw new SettingError(
    `No learning rate is known for ${fn} with n = ${n}, ${gradient}, k = ${k}${at}; choose settings of the paper ` +
      "(n a power of 2 up to 1,024; exact, mean of 1, 2, 4 or 16 tangents, projection on 2, 4 or 16), or give one.",
    { option: "k" },
  );
}

function rangeOf(
  table: { readonly columns: readonly string[]; readonly rows: readonly (readonly Field[])[] },
  key: readonly Field[],
): ReferenceRange | undefined {
  const row = find(table.rows, key);
  if (!row) return undefined;
  const field = (name: string) => Number(row[table.columns.indexOf(name)]);
  return { min: field("best_min"), max: field("best_max"), mean: field("best_mean") };
}

/** The row that begins with these fields. */
function find(rows: readonly (readonly Field[])[], key: readonly Field[]): readonly Field[] | undefined {
  return rows.find((row) => key.every((value, index) => row[index] === value));
}
