/** How many examples a run sets aside, how many a batch has, and how many steps follow. */
import type { Examples } from "../data/dataset.ts";
import { type Words, words } from "../errors/words.ts";

/** How many examples a run sets aside for validation: none where it has such of its own. Default 5,000, at most a tenth. */
export function validationCount(examples: Examples, asked?: number | Examples): number {
  if (typeof asked === "object") return 0;
  return asked ?? Math.min(5000, Math.floor(examples.count / 10));
}

/** The batch size of a run: the one asked for, or all examples that are left to train on where they are fewer. */
export function batchSize(
  examples: Examples,
  { batch, validation }: { readonly batch: number; readonly validation?: number | Examples | undefined },
): number {
  return Math.max(1, Math.min(batch, examples.count - validationCount(examples, validation)));
}

/** What to say of a run whose steps do not read as many examples as were asked for. */
export function batchNotes(
  examples: Examples,
  {
    batch: wanted,
    validation,
  }: { readonly batch: number; readonly validation?: number | Examples | undefined },
  batch: number,
): Words[] {
  const left = examples.count - validationCount(examples, validation);
  if (wanted <= left || batch !== left) return [];
  const rest = left < examples.count ? `, after ${examples.count - left} were set aside for validation` : "";
  return [
    words`${left} ${left === 1 ? "example is" : "examples are"} left to train on${rest}, fewer than a batch of ${wanted}: each
      step reads all of them.`,
  ];
}

/** The steps of a run: as many as its epochs have, one by default, and no more than were asked for. */
export function stepsOf(
  { epochs, steps }: { readonly epochs?: number; readonly steps?: number },
  stepsPerEpoch: number,
): number {
  const wanted = (epochs ?? (steps === undefined ? 1 : Number.POSITIVE_INFINITY)) * stepsPerEpoch;
  return Math.min(Math.round(wanted), steps ?? Number.POSITIVE_INFINITY);
}
