import { DivergenceError } from "../errors/errors.ts";
import { option, words } from "../errors/words.ts";

/** Where numbers stopped being finite, in words, and what to do about it where a lower rate would not help. */
export interface NotFiniteCause {
  readonly where: string;
  readonly remedy?: string;
}

/**
 * Stops a run whose loss is no number or has grown beyond `factor` times that of the first step.
 *
 * @param what the loss in words, for the message
 * @param cause where the first number that is not finite came from, if that is known
 * @throws DivergenceError that names the loss and the settings to lower, or the node that is undefined where it is used
 */
export function guardDivergence(
  loss: number,
  firstLoss: number,
  factor: number,
  what: string,
  settings: { readonly learningRate: number; readonly momentum: number },
  cause?: NotFiniteCause,
): void {
  const limit = factor * Math.max(firstLoss, 1e-3);
  if (loss <= limit && Number.isFinite(loss)) return;
  const where = cause ? `: ${cause.where}` : "";
  const size = Number.isNaN(loss)
    ? `is not a number${where}`
    : !Number.isFinite(loss)
      ? `is infinite${where}`
      : `is ${loss.toPrecision(4)}, above the limit of ${limit.toPrecision(4)}`;
  if (cause?.remedy) {
    throw new DivergenceError(
      `Training stopped: ${what} ${size}. No learning rate helps here: ${cause.remedy}. The last good state is kept.`,
    );
  }
  const slower = settings.momentum > 0 ? `, lower the momentum (${settings.momentum})` : "";
  throw new DivergenceError(
    words`Training diverged: ${what} ${size}. Lower the learning rate (it is ${settings.learningRate.toPrecision(3)};
      try ${option("learningRate", Number((settings.learningRate / 3).toPrecision(2)))})${slower}, or use more
      tangents. The last good state is kept.`,
    { reason: `${what} ${size}` },
  );
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
