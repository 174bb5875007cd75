/** From here on, 32-bit floats leave whole numbers out. */
const exactBelow = 2 ** 24;

/**
 * Two whole numbers of a list that differ but become the same 32-bit float.
 * @param start where the list begins in `values`, and `step` how far its numbers lie apart.
 * @returns their positions in the list, or undefined where there are none.
 */
export function equalAsFloat32(
  values: ArrayLike<number>,
  start = 0,
  step = 1,
): readonly [number, number] | undefined {
  const seen = new Map<number, number>();
  for (let index = 0, at = start; at < values.length; index++, at += step) {
    const value = values[at] as number;
    if (Math.abs(value) < exactBelow || !Number.isInteger(value)) continue;
    const rounded = Math.fround(value);
    const other = seen.get(rounded);
    if (other === undefined) seen.set(rounded, index);
    else if (values[start + other * step] !== value) return [other, index];
  }
  return undefined;
}

/** Whether there is a number at all that 32-bit floats may not hold. */
export function hasLargeNumbers(values: ArrayLike<number>): boolean {
  for (let at = 0; at < values.length; at++) if (Math.abs(values[at] as number) >= exactBelow) return true;
  return false;
}

/** Whether rounding to 32 bits takes away a hundredth of what numbers differ by. */
export function losesSpread(values: ArrayLike<number>, start = 0, step = 1): boolean {
  let [least, largest, error] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0];
  for (let at = start; at < values.length; at += step) {
    const value = values[at] as number;
    least = Math.min(least, value);
    largest = Math.max(largest, value);
    error = Math.max(error, Math.abs(value - Math.fround(value)));
  }
  // Less than that is noise of 64-bit arithmetic.
  const noise = 1e-12 * Math.max(Math.abs(least), Math.abs(largest));
  return 100 * error > largest - least && largest - least > noise;
}
