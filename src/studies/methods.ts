/** Names of the ways to estimate a gradient that studies compare. */
import type { GradientMethod } from "./functions/optimize.ts";
import { numberIn } from "./statistics.ts";
import type { Row } from "./study.ts";

/** What a method is called by: how derivatives are combined, and the number of tangents. */
type Named = Pick<GradientMethod, "gradient" | "k">;

/** The paper's methods: the exact gradient, the mean of each k, and projection on each k from 2. */
export function methodsOf(counts: readonly number[]): readonly GradientMethod[] {
  return [
    { gradient: "exact", k: 0 },
    ...counts.map((k): GradientMethod => ({ gradient: "mean", k })),
    ...counts.filter((k) => k > 1).map((k): GradientMethod => ({ gradient: "projection", k })),
  ];
}

/** The method of a row with the columns `gradient` and `k`. */
export function methodIn(row: Row): Named {
  return { gradient: row.gradient as GradientMethod["gradient"], k: numberIn(row, "k") };
}

/** "exact", "mean, k = 4" */
export function methodName({ gradient, k }: Named): string {
  return gradient === "exact" ? gradient : `${gradient}, k = ${k}`;
}

/** "exact", "mean=4": in the key of a unit. */
export function methodKey({ gradient, k }: Named): string {
  return gradient === "exact" ? gradient : `${gradient}=${k}`;
}

/** "exact", "mean 4": over a column of a table. */
export function methodHeading({ gradient, k }: Named): string {
  return gradient === "exact" ? gradient : `${gradient} ${k}`;
}

/** "exact gradient", "k = 4": the series of a row where charts tell numbers of tangents apart. */
export function countSeries(row: Row): string {
  return row.gradient === "exact" ? "exact gradient" : `k = ${row.k}`;
}

/** All series of these rows, the exact gradient first. */
export function countSeriesOf(rows: readonly Row[]): readonly string[] {
  const counts = [...new Set(rows.map((row) => numberIn(row, "k")))]
    .filter((k) => k > 0)
    .sort((a, b) => a - b);
  return ["exact gradient", ...counts.map((k) => `k = ${k}`)];
}
