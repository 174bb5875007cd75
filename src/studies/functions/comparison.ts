/** Whether two ranges of results agree, and how often chance parts them. */
import type { FunctionName } from "../../functions/functions.ts";
import { functions } from "../../functions/functions.ts";
import type { ReferenceRange } from "./reference.ts";
import { referenceSeeds } from "./reference.ts";

/** Part of a value that float32 arithmetic, which the authors' code runs in, does not resolve. */
const float32Precision = 2 ** -20;
/** The smallest float32 above 0: below, the authors' values are 0. */
const float32Least = 2 ** -149;

/**
 * How far a value is above the function's minimum, at least what float32 resolves, so that logarithms exist and the two
 * precisions can be compared.
 */
export function gapOf(fn: string, n: number, value: number): number {
  const least = functions[fn as FunctionName].minimum(n)?.value ?? 0;
  return Math.max(value - least, float32Precision * Math.abs(least), float32Least);
}

/** Whether two ranges over seeds have a value in common, next to float32's precision. */
export function rangesOverlap(
  fn: string,
  n: number,
  values: readonly number[],
  reference: ReferenceRange,
): boolean {
  const gap = (value: number) => gapOf(fn, n, value);
  const slack = 1 + float32Precision;
  return (
    gap(Math.min(...values)) <= slack * gap(reference.max) &&
    gap(reference.min) <= slack * gap(Math.max(...values))
  );
}

/**
 * Probability that the ranges of a and b independent draws from one continuous distribution do not overlap: all of one
 * below all of the other, 2 a! b! / (a + b)!.
 */
export function chanceApart(a: number, b: number = referenceSeeds): number {
  let chance = 2;
  for (let i = 1; i <= b; i++) chance *= i / (a + i);
  return chance;
}

/** How many of `cells` independent cells may lie apart before chance is no explanation: three deviations above the mean. */
export function allowedApart(cells: number, seeds: number): number {
  const expected = cells * chanceApart(seeds);
  return Math.ceil(expected + 3 * Math.sqrt(expected));
}
