/** Inputs that always hold the same number. */
import type { Model } from "./read-model.ts";
import { isFloat } from "./tensor.ts";

/** Numbers that fill inputs, by name. */
export type Fill = Readonly<Record<string, number>>;

/** What an input holds that is filled with a number: whole for integer types. */
export function filledNumber(dtype: Model["inputs"][number]["dtype"], number: number): number {
  return isFloat(dtype) ? number : Math.trunc(number);
}
