/** Mean squared error. */
import { reserved } from "../ad/names.ts";
import { SettingError } from "../errors/errors.ts";
import { tensorOf } from "../onnx/tensor.ts";
import { named } from "../settings/named.ts";
import { type Given, value } from "../settings/option.ts";
import { type LossRule, meanPerExample } from "./loss.ts";

const isScale = (value: unknown): boolean =>
  [value].flat().every((each) => typeof each === "number" && each > 0 && Number.isFinite(each));

export const meanSquaredErrorOptions = {
  /**
   * Unit of the differences, one for all or one for each position along the last axis: with the targets' standard
   * deviation, a loss of 1 is that of always predicting their mean. Default 1.
   */
  scale: value<number | readonly number[]>("a number above 0, or a list of such numbers", isScale, {
    help: "unit of the differences",
    flag: false,
  }),
};

/** Options of `meanSquaredError`. */
export type MeanSquaredErrorOptions = Given<typeof meanSquaredErrorOptions>;

/**
 * Mean squared error: ℓ_b = mean over the example's outputs of ((y − t)/s)², with the scale s. Target: `target`, of the
 * prediction's shape.
 *
 * @throws when a scale is not above 0; when a graph is built, for another number of scales than outputs
 */
export const meanSquaredError = named(
  "loss",
  "mean-squared-error",
  meanSquaredErrorOptions,
  ({ scale = 1 }): LossRule => {
    const scales = [scale].flat();
    return {
      target: ({ dtype, shape }) => ({ name: reserved.target, dtype, shape }),
      perExample: (g, prediction, target) => {
        if (scales.length > 1 && scales.length !== prediction.shape.at(-1)) {
          throw new SettingError(
            `mean-squared-error has ${scales.length} scales for '${prediction.name}' of shape ` +
              `[${prediction.shape.join(", ")}]; expected one, or one for each position along the last axis.`,
            { option: "loss.scale" },
          );
        }
        let difference = g.sub(prediction, target);
        if (scales.some((value) => value !== 1))
          difference = g.div(difference, g.constant(tensorOf(prediction.dtype, scales, [scales.length])));
        return meanPerExample(g, g.mul(difference, difference));
      },
    };
  },
);
