/** Feedback: a learned mean Jacobian from sites to logits carries each example's error back to a guess of its gradient. */
import type { Value } from "../onnx/graph.ts";
import { reshape } from "../ops/rules.ts";
import { named } from "../settings/named.ts";
import { type Given, number } from "../settings/option.ts";
import type { GuessRule, SiteGuess } from "./guess.ts";

/** The step of B never falls below this share of the residual, so that B follows the weights. */
const leastStep = 0.2;

export const feedbackOptions = {
  /** γ: how much of what tangents measure is added to the guess, from 0 to 1. 1: no bias. */
  gamma: number({ from: 0, to: 1 }, { help: "how much of the tangents' correction is added", default: 1 }),
};

/** Options of `feedback`. */
export type FeedbackOptions = Given<typeof feedbackOptions>;

/**
 * m_b = Bᵀ δ_b at each site, with δ_b = ∂ℓ_b/∂logits, known after the forward pass, and a matrix B, [O, n], that regresses
 * the logits' tangents on the sites': R_b = Y_b − V_b Bᵀ is what B did not foresee, and
 *
 *     B += min(top, max(0.2, 1/(t + 2))) · Σ_b,i R_bi V_biᵀ / (k · (active count + ½)),   top = 1 / (1 + √(mean n_b / (k · batch)))²
 *
 * is a step of least mean squares that stays stable where tangents are fewer than the dimensions that they span. As Y and V
 * are known from the dual pass, B costs no further pass. Feedback that is learned from perturbations: Lansdell et al. 2020
 * (arXiv 1906.00889); as a guess that tangents correct, for one tangent: Bacho and Chu (arXiv 2212.07282).
 *
 * State: O · n numbers. Time: 4 · O · n · k · batch operations a step.
 *
 * @throws SettingError when γ is no number from 0 to 1
 */
export const feedback = named(
  "guess",
  "feedback",
  feedbackOptions,
  ({ gamma }): GuessRule => ({ gamma, sites: feedbackAtSites }),
);

const feedbackAtSites: SiteGuess = {
  signal: "logits",
  memory: ({ size }, outputs) => ({ matrix: [outputs, size] }),
  // m = δ B
  emitGuess: (g, delta, { matrix }) => g.matMul(delta, matrix as Value),
  emitStep(g, delta, { sites, signalTangents, dimension, steps }) {
    const [k = 0, batch = 0, outputs = 0] = signalTangents.shape;
    // P = V Bᵀ, summed over the sites
    const product = sites
      .map(({ tangents, memory }) => {
        const [, examples = 0, size = 0] = tangents.shape;
        const rows = reshape(g, tangents, [k * examples, size]);
        return reshape(g, g.gemm(rows, memory.matrix as Value, { transB: 1 }), [k, examples, outputs]);
      })
      .reduce((total, term) => g.add(total, term));
    // R = Y − P
    const residual = g.sub(signalTangents, product);
    // V m = P δ
    const foreseen = g.reduceSum(g.mul(product, reshape(g, delta, [1, batch, outputs])), [2], {
      keepdims: 0,
    });
    // top = 1 / (1 + √(mean n_b / (k · batch)))²
    const root = g.add(1, g.sqrt(g.div(dimension, k * batch)));
    const top = g.div(1, g.mul(root, root));
    // The first steps average all that was seen so far.
    const step = g.min(top, g.max(g.scalar("float32", leastStep), g.div(1, g.add(steps, 2))));
    const memories = sites.map(({ tangents, active, memory }) => {
      const [, examples = 0, size = 0] = tangents.shape;
      const errors =
        examples === 1
          ? g.reduceSum(residual, [1], { keepdims: 0 })
          : reshape(g, residual, [k * batch, outputs]);
      // Rᵀ V
      const sum = g.gemm(errors, reshape(g, tangents, [k * examples, size]), { transA: 1 });
      const weight =
        typeof active === "number"
          ? g.div(step, k * (active + 0.5))
          : g.div(step, g.mul(g.add(active, 0.5), k));
      return { matrix: g.add(memory.matrix as Value, g.mul(sum, weight)) };
    });
    return { foreseen, memories };
  },
};
