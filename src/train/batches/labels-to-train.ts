/** The labels of what a run trains on, without those that it sets aside. */
import { splitValidation } from "../../data/batches.ts";
import type { Examples } from "../../data/dataset.ts";
import { takeExamples } from "../../data/split.ts";
import type { Loss } from "../../losses/loss.ts";
import { withKnownClasses } from "../../objective/class-weights.ts";
import type { Model } from "../../onnx/read-model.ts";
import { streamKey } from "../../random/streams.ts";
import { validationCount } from "./batch-size.ts";

/** What decides which examples are set aside. */
interface SetAside {
  readonly validation?: number | Examples | undefined;
  readonly seed: number;
}

/** A loss as data, with a number for each class by the labels that are trained on. @throws as `withKnownClasses` */
export function withTrainedClasses(
  loss: Loss,
  examples: Examples,
  model: Model,
  run: SetAside,
  classNames?: readonly string[],
): unknown {
  return withKnownClasses(loss, labelsToTrain(examples, run), model, classNames);
}

function labelsToTrain(examples: Examples, { validation, seed }: SetAside): Pick<Examples, "labels"> {
  const held = validationCount(examples, validation);
  if (held === 0 || held >= examples.count) return examples;
  return takeExamples(examples, splitValidation(examples.count, held, streamKey(seed, "split")).train);
}
