import { reserved } from "../ad/names.ts";
import { SettingError } from "../errors/errors.ts";
import { tensorOf } from "../onnx/tensor.ts";
import { type Loss, meanPerExample } from "./loss.ts";

/** Options of `meanSquaredError`. */
export interface MeanSquaredErrorOptions {
  /**
   * Unit of the differences, one for all or one for each place along the last axis: with the targets' standard
   * deviation, a loss of 1 is that of always predicting their mean. Default 1.
   */
  readonly scale?: number | readonly number[];
}

/**
 * Mean squared error: ℓ_b = mean over the example's outputs of ((y − t)/s)², with the scale s. Target: `target`, of the
 * prediction's shape.
 *
 * @throws when a scale is not above 0; when a graph is built, for another number of scales than outputs
 */
export function meanSquaredError({ scale = 1 }: MeanSquaredErrorOptions = {}): Loss {
  const scales = [scale].flat();
  if (scales.some((value) => !(value > 0 && Number.isFinite(value)))) {
    throw new SettingError(
      `The scale of mean-squared-error must be above 0, received ${scales.join(", ")}.`,
      { option: "scale" },
    );
  }
  return {
    name: "mean-squared-error",
    target: ({ dtype, shape }) => ({ name: reserved.target, dtype, shape }),
    perExample: (g, prediction, target) => {
      if (scales.length > 1 && scales.length !== prediction.shape.at(-1)) {
        throw new SettingError(
          `mean-squared-error has ${scales.length} scales for '${prediction.name}' of shape ` +
            `[${prediction.shape.join(", ")}]; expected one, or one for each place along the last axis.`,
          { option: "scale" },
        );
      }
      let difference = g.sub(prediction, target);
      if (scales.some((value) => value !== 1))
        difference = g.div(difference, g.constant(tensorOf(prediction.dtype, scales, [scales.length])));
      return meanPerExample(g, g.mul(difference, difference));
    },
  };
}
