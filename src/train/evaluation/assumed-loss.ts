/** What a model was probably trained with, by what its file says. */
import { binaryCrossEntropy } from "../../losses/binary-cross-entropy.ts";
import { crossEntropy } from "../../losses/cross-entropy.ts";
import type { Loss } from "../../losses/loss.ts";
import { meanSquaredError } from "../../losses/mean-squared-error.ts";
import { floatOutput } from "../../objective/importing/import-model.ts";
import { lossOutput } from "../../objective/importing/loss-output.ts";
import { knownData } from "../../objective/model-data.ts";
import type { Model } from "../../onnx/read-model.ts";

/**
 * The loss of a file that knows the moments of its targets or the names of its classes, or that ends in an activation which only one
 * loss contains; otherwise cross-entropy.
 */
export async function assumedLoss(model: Model, output = floatOutput(model)): Promise<Loss> {
  const { targetNormalization, classNames } = knownData(model);
  if (targetNormalization) return meanSquaredError();
  if (classNames) return crossEntropy();
  const truths = binaryCrossEntropy();
  const { activation } = await lossOutput(model, truths, output, false);
  return activation ? truths : crossEntropy();
}
