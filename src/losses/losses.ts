import { binaryCrossEntropy } from "./binary-cross-entropy.ts";
import { crossEntropy } from "./cross-entropy.ts";
import type { Loss } from "./loss.ts";
import { meanSquaredError } from "./mean-squared-error.ts";

/** The losses by name. */
export const losses = {
  "cross-entropy": crossEntropy,
  "mean-squared-error": meanSquaredError,
  "binary-cross-entropy": binaryCrossEntropy,
} satisfies Record<string, () => Loss>;

/** Name of a loss in `losses`. */
export type LossName = keyof typeof losses;
