/** Whether a run goes well: its loss, and the numbers of its gradients. */

/** The largest loss that is no divergence: `factor` times that of the first step. */
export function largestLoss(firstLoss: number, factor: number): number {
  return factor * Math.max(firstLoss, 1e-3);
}

/** Whether all numbers are finite. */
export function areFinite(arrays: Readonly<Record<string, Float32Array>>): boolean {
  // In float64 no sum of float32 numbers is too large, so one that is finite tells about all.
  return Object.values(arrays).every((values) => Number.isFinite(sumOf(values)));
}

/** Eight sums, because one waits for each addition before the next. */
function sumOf(values: Float32Array): number {
  const whole = values.length - (values.length % 8);
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  let e = 0;
  let f = 0;
  let g = 0;
  let h = 0;
  for (let index = 0; index < whole; index += 8) {
    a += values[index] as number;
    b += values[index + 1] as number;
    c += values[index + 2] as number;
    d += values[index + 3] as number;
    e += values[index + 4] as number;
    f += values[index + 5] as number;
    g += values[index + 6] as number;
    h += values[index + 7] as number;
  }
  for (let index = whole; index < values.length; index++) a += values[index] as number;
  return a + b + c + d + (e + f + g + h);
}
