import { type Loss, meanPerExample } from "./loss.ts";

/** Mean squared error: ℓ_b = mean over the example's outputs of (y − t)². Target: `target`, of the prediction's shape. */
export function meanSquaredError(): Loss {
  return {
    name: "mean-squared-error",
    target: ({ dtype, shape }) => ({ name: "target", dtype, shape }),
    perExample: (g, prediction, target) => {
      const difference = g.sub(prediction, target);
      return meanPerExample(g, g.mul(difference, difference));
    },
  };
}
