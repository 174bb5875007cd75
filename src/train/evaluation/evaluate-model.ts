/** Measuring a model on examples, as programs ask for it. */
import { isArrayOf } from "../../arrays/kind.ts";
import type { Examples } from "../../data/dataset.ts";
import { lossOption } from "../../objective/objective-options.ts";
import { readingOptions, runtimeOption } from "../../objective/options.ts";
import type { Model } from "../../onnx/read-model.ts";
import { checkOptions } from "../../settings/check.ts";
import { requireOptions } from "../../settings/needs.ts";
import { isObject, toggle, value } from "../../settings/option.ts";
import { settledLoss } from "../run-options.ts";
import { type EvaluateOptions, type Evaluation, measureModel } from "./measure-model.ts";
import { openTally } from "./score-tally.ts";

const { input, fill, dimensions, output } = readingOptions;

const evaluateOptions = {
  ...{ input, fill, dimensions, output },
  model: value<Model>(
    "a decoded model, such as loadModel(path) or decodeModel(bytes) gives (of a graph from the builder: decodeModel(encodeModelFile(graph)))",
    (given) => isObject(given) && isObject(given.proto) && Array.isArray(given.nodes),
    {},
  ),
  parameters: value<EvaluateOptions["parameters"]>("tensors by name", isObject, {}),
  examples: value<Examples>(
    "a dataset's examples, with inputs, shape, labels and count",
    (given) =>
      isObject(given) &&
      ArrayBuffer.isView(given.inputs) &&
      ArrayBuffer.isView(given.labels) &&
      Array.isArray(given.shape) &&
      typeof given.count === "number",
    {},
  ),
  indices: value<Uint32Array>(
    "a Uint32Array of at least one index",
    (given) => isArrayOf("Uint32Array", given) && given.length > 0,
    {},
  ),
  loss: lossOption,
  runtime: runtimeOption,
  isChecked: toggle({}),
  onProgress: value<EvaluateOptions["onProgress"]>("a function", (given) => typeof given === "function", {}),
};

/**
 * Measures a model on examples, by running the file that would be saved (its sigmoids with all their digits), in a bare session.
 *
 * @throws SettingError for an unknown option, with the nearest one, and for a wrong value; otherwise when the examples do not
 *   fit the model or the loss
 */
export async function evaluateModel(options: EvaluateOptions): Promise<Evaluation> {
  checkOptions(evaluateOptions, options, { of: "evaluateModel" });
  requireOptions("evaluateModel", evaluateOptions, options, [
    "model",
    "parameters",
    "examples",
    "loss",
    "runtime",
  ]);
  const { loss, examples, model } = options;
  return measureModel(
    { ...options, loss: await settledLoss(loss, examples, model, { validation: 0, seed: 0 }) },
    openTally,
  );
}
