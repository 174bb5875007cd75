/** How many examples a run sets aside, how many a batch has, and how many steps follow. */
import type { Examples } from "../../data/dataset.ts";
import type { Loss } from "../../losses/loss.ts";

/** How many examples a run sets aside for validation: none where it has such of its own. Default 5,000, at most a tenth. */
export function validationCount(examples: Pick<Examples, "count">, asked?: number | Examples): number {
  if (typeof asked === "object") return 0;
  return asked ?? Math.min(5000, Math.floor(examples.count / 10));
}

/** How many examples are left to train on. */
export function leftToTrain(examples: Pick<Examples, "count">, validation?: number | Examples): number {
  return examples.count - validationCount(examples, validation);
}

/** What is asked for. */
interface AskedBatch {
  readonly batch: number;
  readonly accumulate: number;
  readonly validation?: number | Examples | undefined;
  readonly loss?: Pick<Loss, "together">;
}

/**
 * How many examples are computed at once: those of a step, or of one of its parts. A step has as many as were asked for, or all that are
 * left to train on where they are fewer; groups that have their loss together stay whole.
 */
export function batchSize(
  examples: Pick<Examples, "count">,
  { batch, accumulate, validation, loss }: AskedBatch,
): number {
  const all = Math.min(batch, leftToTrain(examples, validation));
  const each = loss?.together ?? 1;
  return Math.max(1, Math.floor(all / accumulate / each) * each);
}

/** The steps of a run: as many as its epochs have, one by default, and no more than were asked for. */
export function stepsOf(
  { epochs, steps }: { readonly epochs?: number; readonly steps?: number },
  stepsPerEpoch: number,
): number {
  const wanted = (epochs ?? (steps === undefined ? 1 : Number.POSITIVE_INFINITY)) * stepsPerEpoch;
  return Math.min(Math.round(wanted), steps ?? Number.POSITIVE_INFINITY);
}
