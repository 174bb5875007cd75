/** From what a run is asked for to what it is: a decoded model, with adapters and a head, and examples that fit it. */
import { isArrayOf } from "../arrays/kind.ts";
import type { Examples } from "../data/dataset.ts";
import type { Loss } from "../losses/loss.ts";
import { modelFrom } from "../objective/importing/model-file.ts";
import type { Model } from "../onnx/read-model.ts";
import { elementCount } from "../onnx/tensor.ts";
import type { ExampleArrays } from "./example-arrays.ts";
import { lossSetting } from "./settings/choices.ts";
import { ofForward } from "./settings/estimator.ts";
import type { TrainOptions } from "./settings/options.ts";
import { type RunOptions, runSettings } from "./settings/run-settings.ts";

/** Decodes the model, puts adapters into it, and fits the examples to its input. @throws when they do not fit */
export async function runOptions(options: TrainOptions): Promise<RunOptions> {
  const settings = runSettings(options);
  const { input, validation } = settings;
  const base = await modelFrom(options.model);
  // Loaded where it is asked for: most runs of a page have no adapters, and no new head.
  const { adapters, ...adapted } = settings.adapter
    ? (await import("./settings/adapter-settings.ts")).withAdapterSettings(base, settings)
    : {};
  const read = { loss: settings.loss, input };
  const { examples, ...streamed } =
    "stream" in options.examples
      ? await (await import("./batches/stream-settings.ts")).streamSettings(base, options.examples, settings)
      : { examples: await examplesOf(base, options.examples, { ...read, option: "examples" }) };
  const held =
    typeof validation === "object"
      ? await examplesOf(base, validation, { ...read, option: "validation" })
      : validation;
  const run: RunOptions = {
    ...settings,
    loss: await settledLoss(settings.loss, examples, base, { validation: held, seed: settings.seed }),
    model: base,
    inPlace: settings.inPlace ?? isArrayOf("Uint8Array", options.model),
    ...adapted,
    examples,
    validation: held,
    ...streamed,
    test: options.test && (await examplesOf(base, options.test, { ...read, option: "test" })),
  };
  if (!base.head) return run;
  const { withHeadSettings } = await import("./settings/head-settings.ts");
  return withHeadSettings(run, base.head, options, adapters, { ofForward, runSettings });
}

/** Examples as a run reads them. What brings others into that form loads where some are given. */
async function examplesOf(
  model: Model,
  given: Examples | ExampleArrays,
  read: { readonly loss: Loss; readonly input: string | undefined; readonly option: string },
): Promise<Examples> {
  return isWhole(given) ? given : (await import("./example-arrays.ts")).examplesFor(model, given, read);
}

/**
 * The loss, once the data say what its classes are: those that are trained on. Loaded where they are weighed.
 *
 * @param run what decides which examples are set aside
 */
export async function settledLoss(
  loss: Loss,
  examples: Examples,
  model: Model,
  run: Pick<RunOptions, "validation" | "seed">,
  classNames?: readonly string[],
): Promise<Loss> {
  if (!loss.config?.classWeights) return loss;
  const { withTrainedClasses } = await import("./batches/labels-to-train.ts");
  return lossSetting.choose(withTrainedClasses(loss, examples, model, run, classNames));
}

const parts = ["inputs", "labels", "shape", "count", "targetShape", "origin"];

/** Whether nothing is open or wrong in examples of one input. */
function isWhole(given: Examples | ExampleArrays): given is Examples {
  const { inputs, labels, shape, count = 0 } = given;
  return (
    Object.keys(given).every((key) => parts.includes(key)) &&
    (isArrayOf("Uint8Array", inputs) || isArrayOf("Float32Array", inputs)) &&
    (isArrayOf("Int32Array", labels) || isArrayOf("Float32Array", labels)) &&
    Array.isArray(shape) &&
    [count, ...shape].every((size) => Number.isSafeInteger(size) && size > 0) &&
    inputs.length === count * elementCount(shape) &&
    labels.length % count === 0
  );
}
