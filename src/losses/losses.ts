/** All losses by name. */
import { binaryCrossEntropy } from "./binary-cross-entropy.ts";
import { crossEntropy } from "./cross-entropy.ts";
import { meanSquaredError } from "./mean-squared-error.ts";

/** The losses by name. */
export const losses = {
  "cross-entropy": crossEntropy,
  "mean-squared-error": meanSquaredError,
  "binary-cross-entropy": binaryCrossEntropy,
};

/** Name of a loss in `losses`. */
export type LossName = keyof typeof losses;
