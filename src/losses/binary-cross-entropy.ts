/** Binary cross-entropy. */
import { reserved } from "../ad/names.ts";
import { named } from "../settings/named.ts";
import { type LossRule, meanPerExample } from "./loss.ts";

/**
 * Binary cross-entropy of logits: ℓ_b = mean over the example's outputs of softplus(z) − t z, which is
 * −t log σ(z) − (1 − t) log(1 − σ(z)) without overflow. Target: `target` in [0, 1], of the prediction's shape.
 */
export const binaryCrossEntropy = named("loss", "binary-cross-entropy", {}, (): LossRule => {
  return {
    contains: ["Sigmoid"],
    range: [0, 1],
    target: ({ dtype, shape }) => ({ name: reserved.target, dtype, shape }),
    perExample: (g, logits, target) => meanPerExample(g, g.sub(g.softplus(logits), g.mul(logits, target))),
  };
});
