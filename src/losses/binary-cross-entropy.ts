import { reserved } from "../ad/names.ts";
import { type Loss, meanPerExample } from "./loss.ts";

/**
 * Binary cross-entropy of logits: ℓ_b = mean over the example's outputs of softplus(z) − t z, which is
 * −t log σ(z) − (1 − t) log(1 − σ(z)) without overflow. Target: `target` in [0, 1], of the prediction's shape.
 */
export function binaryCrossEntropy(): Loss {
  return {
    name: "binary-cross-entropy",
    contains: ["Sigmoid"],
    range: [0, 1],
    target: ({ dtype, shape }) => ({ name: reserved.target, dtype, shape }),
    perExample: (g, logits, target) => meanPerExample(g, g.sub(g.softplus(logits), g.mul(logits, target))),
  };
}
