/** Thrown when training has left the region where its losses mean anything. */
export class DivergenceError extends Error {
  override readonly name = "DivergenceError";
}

/**
 * Stops a run whose loss is no number or has grown beyond `factor` times that of the first step.
 *
 * @param what the loss in words, for the message
 * @throws DivergenceError that names the loss and the settings to lower
 */
export function guardDivergence(
  loss: number,
  firstLoss: number,
  factor: number,
  what: string,
  settings: { readonly learningRate: number; readonly momentum: number },
): void {
  const limit = factor * Math.max(firstLoss, 1e-3);
  if (loss <= limit) return;
  const size = Number.isNaN(loss)
    ? "is not a number"
    : `is ${loss.toPrecision(4)}, above the limit of ${limit.toPrecision(4)}`;
  throw new DivergenceError(
    `Training diverged: ${what} ${size}. Lower the learning rate (it is ${settings.learningRate.toPrecision(3)}; ` +
      `try --lr ${(settings.learningRate / 3).toPrecision(2)})` +
      `${settings.momentum > 0 ? `, lower the momentum (${settings.momentum})` : ""}, or use more tangents. ` +
      "The last good state is kept.",
  );
}
