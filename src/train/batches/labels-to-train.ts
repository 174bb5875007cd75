/** The labels of what a run trains on, without those that it sets aside. */
import { splitValidation } from "../../data/batches.ts";
import type { Examples } from "../../data/dataset.ts";
import { takeExamples } from "../../data/split.ts";
import { streamKey } from "../../random/streams.ts";
import { validationCount } from "./batch-size.ts";

/** @param seed of the run, which decides what is set aside */
export function labelsToTrain(
  examples: Examples,
  { validation, seed }: { readonly validation?: number | Examples | undefined; readonly seed: number },
): Pick<Examples, "labels"> {
  const held = validationCount(examples, validation);
  if (held === 0 || held >= examples.count) return examples;
  return takeExamples(examples, splitValidation(examples.count, held, streamKey(seed, "split")).train);
}
