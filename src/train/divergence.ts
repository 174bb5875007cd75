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

/** Four sums, because one waits for each addition before the next. */
function sumOf(values: Float32Array): number {
  const whole = values.length - (values.length % 4);
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  for (let index = 0; index < whole; index += 4) {
    a += values[index] as number;
    b += values[index + 1] as number;
    c += values[index + 2] as number;
    d += values[index + 3] as number;
  }
  for (let index = whole; index < values.length; index++) a += values[index] as number;
  return a + b + c + d;
}
