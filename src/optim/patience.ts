/** How long a loss has not improved. Plain data, so that a checkpoint can hold it. */
export interface Patience {
  /** The smallest loss so far; absent before the first. */
  readonly best?: number;
  /** How many losses came since. */
  readonly waited: number;
}

/** Before the first loss. */
export const freshPatience: Patience = { waited: 0 };

/** Takes a loss into account; it improves when it is below best·(1 − threshold). A loss that is no number never does. */
export function watch(patience: Patience, loss: number, threshold = 0): Patience {
  const { best, waited } = patience;
  const isBetter = best === undefined ? !Number.isNaN(loss) : loss < best * (1 - threshold);
  return isBetter ? { best: loss, waited: 0 } : { ...patience, waited: waited + 1 };
}
