/** Means with their errors, over rows in groups. */
import { SettingError } from "../errors/errors.ts";
import type { Row } from "./study.ts";

/** Mean, standard deviation and 95 % interval of some measurements. */
export interface Moments {
  readonly count: number;
  readonly mean: number;
  /** Standard deviation of one measurement (divisor count − 1); 0 for a single one. */
  readonly deviation: number;
}

/** @throws when there are no values */
export function moments(values: readonly number[]): Moments {
  if (values.length === 0)
    throw new SettingError("The moments of no values are not defined; pass at least one.", {
      option: "values",
    });
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { count: values.length, mean, deviation: Math.sqrt(squares / Math.max(values.length - 1, 1)) };
}

/** The moments of several groups of measurements taken together, exactly as from the measurements themselves. */
export function pool(groups: readonly Moments[]): Moments {
  const count = groups.reduce((sum, group) => sum + group.count, 0);
  if (count === 0)
    throw new SettingError("The moments of no values are not defined; pass at least one group.", {
      option: "groups",
    });
  const mean = groups.reduce((sum, group) => sum + group.count * group.mean, 0) / count;
  const squares = groups.reduce(
    (sum, group) => sum + (group.count - 1) * group.deviation ** 2 + group.count * (group.mean - mean) ** 2,
    0,
  );
  return { count, mean, deviation: Math.sqrt(squares / Math.max(count - 1, 1)) };
}

/** Standard error of the mean. */
export function standardError({ count, deviation }: Moments): number {
  return deviation / Math.sqrt(count);
}

/** Half-width of the 95 % interval of the mean, by Student's t; NaN for a single measurement. */
export function halfWidth95(given: Moments): number {
  return given.count < 2 ? Number.NaN : studentQuantile(given.count - 1) * standardError(given);
}

/** Student's t at 97.5 % for 1, 2, … degrees of freedom. */
const quantiles = [
  12.706205, 4.302653, 3.182446, 2.776445, 2.570582, 2.446912, 2.364624, 2.306004, 2.262157, 2.228139,
];

/**
 * Student's t at 97.5 %. Above 10 degrees of freedom ν by the expansion in 1/ν (Abramowitz and Stegun 26.7.5), to 2e-4.
 */
function studentQuantile(freedom: number): number {
  const z = 1.959963984540054;
  const exact = quantiles[freedom - 1];
  if (exact !== undefined) return exact;
  return (
    z +
    (z ** 3 + z) / (4 * freedom) +
    (5 * z ** 5 + 16 * z ** 3 + 3 * z) / (96 * freedom ** 2) +
    (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / (384 * freedom ** 3)
  );
}

/** Rows that agree in these columns, together, in the order in which they first appear. */
export function groupBy(rows: readonly Row[], names: readonly string[]): readonly (readonly Row[])[] {
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    const key = JSON.stringify(names.map((name) => row[name] ?? null));
    const group = groups.get(key);
    if (group) group.push(row);
    else groups.set(key, [row]);
  }
  return [...groups.values()];
}

/**
 * The usual summary: for each group of rows that agree in the columns `by`, the columns `<value>_mean`, `<value>_sd` and
 * `<value>_ci95` of each value, and `count`.
 */
export function summarizeBy(
  rows: readonly Row[],
  by: readonly string[],
  values: readonly string[],
): readonly Row[] {
  return groupBy(rows, by).map((group) => {
    const first = group[0] as Row;
    return {
      ...Object.fromEntries(by.map((name) => [name, first[name]])),
      count: group.length,
      ...Object.assign(
        {},
        ...values.map((name) =>
          summaryOf(
            name,
            moments(
              group.flatMap((row) => {
                const value = row[name];
                return typeof value === "number" ? [value] : [];
              }),
            ),
          ),
        ),
      ),
    };
  });
}

/** The three summary columns of one value. */
export function summaryOf(name: string, given: Moments): Row {
  return {
    [`${name}_mean`]: given.mean,
    [`${name}_sd`]: given.deviation,
    [`${name}_ci95`]: given.count < 2 ? undefined : halfWidth95(given),
  };
}

/** A number of a row. @throws when the column is empty or holds text */
export function numberIn(row: Row, name: string): number {
  const value = row[name];
  if (typeof value === "number") return value;
  throw new SettingError(
    `The column '${name}' holds ${JSON.stringify(value)}, expected a number; check the columns.`,
    { option: "name" },
  );
}
