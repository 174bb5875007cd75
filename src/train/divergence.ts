/** Whether a run goes well: its loss, and the numbers of its gradients. */

/** The largest loss that is no divergence: `factor` times that of the first step. */
export function largestLoss(firstLoss: number, factor: number): number {
  return factor * Math.max(firstLoss, 1e-3);
}

/** Whether all numbers are finite. */
export function areFinite(arrays: Readonly<Record<string, Float32Array>>): boolean {
  // A number times 0 is 0 when it is finite and NaN otherwise, so one sum tells about all.
  let zero = 0;
  for (const values of Object.values(arrays)) zero += zeroOf(values);
  return zero === 0;
}

/** The sum of all numbers times 0, four a round: `for … of` takes V8 eight times as long. */
function zeroOf(values: Float32Array): number {
  const whole = values.length - (values.length % 4);
  let [first, second, third, fourth] = [0, 0, 0, 0];
  for (let index = 0; index < whole; index += 4) {
    first += (values[index] as number) * 0;
    second += (values[index + 1] as number) * 0;
    third += (values[index + 2] as number) * 0;
    fourth += (values[index + 3] as number) * 0;
  }
  for (let index = whole; index < values.length; index++) first += (values[index] as number) * 0;
  return first + second + third + fourth;
}
