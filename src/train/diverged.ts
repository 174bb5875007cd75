/** What is said of a run that diverged. */
import { DivergenceError } from "../errors/errors.ts";
import { option, words } from "../errors/words.ts";

/** Where numbers stopped being finite, in words, and what to do about it where a lower rate would not help. */
export interface NotFiniteCause {
  readonly where: string;
  readonly remedy?: string;
}

/** A run at the step that diverged. */
export interface Diverged {
  /** The loss, or NaN for what has no numbers any more, */
  readonly loss: number;
  /** and what that is, in words. */
  readonly what: string;
  /** The largest loss that is no divergence. */
  readonly limit: number;
  readonly learningRate: number;
  readonly momentum: number;
}

/** The error that says so: the loss and the settings to lower, or the node that is undefined where it is used. */
export function divergenceError(
  { loss, what, limit, learningRate, momentum }: Diverged,
  cause: NotFiniteCause | undefined,
): DivergenceError {
  const where = cause ? `: ${cause.where}` : "";
  const size = Number.isNaN(loss)
    ? `is not a number${where}`
    : !Number.isFinite(loss)
      ? `is infinite${where}`
      : `is ${loss.toPrecision(4)}, above the limit of ${limit.toPrecision(4)}`;
  if (cause?.remedy) {
    return new DivergenceError(
      `Training stopped: ${what} ${size}. No learning rate helps here: ${cause.remedy}. The last good state is kept.`,
    );
  }
  const slower = momentum > 0 ? `, lower the momentum (${momentum})` : "";
  return new DivergenceError(
    words`Training diverged: ${what} ${size}. Lower the learning rate (it is ${learningRate.toPrecision(3)};
      try ${option("learningRate", Number((learningRate / 3).toPrecision(2)))})${slower}, or use more
      tangents. The last good state is kept.`,
    { reason: `${what} ${size}` },
  );
}
