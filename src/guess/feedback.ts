/** Feedback: a learned mean Jacobian from sites to a value behind them carries each example's error back to a guess of its gradient. */
import type { Value } from "../onnx/graph.ts";
import { reshape, transpose } from "../ops/rules.ts";
import { named } from "../settings/named.ts";
import { choice, type Given, number, type Resolved, whole } from "../settings/option.ts";
import { type GuessRule, type GuessSignal, type SignalSizes, type SiteGuess, smallMemory } from "./guess.ts";

/** The step of B never falls below this share of the residual, so that B follows the weights. */
const leastStep = 0.2;

export const feedbackOptions = {
  /** γ: how much of what tangents measure is added to the guess, from 0 to 1. 1: no bias. */
  gamma: number({ from: 0, to: 1 }, { help: "how much of the tangents' correction is added", default: 1 }),
  /** The known gradient that B carries back: that of the logits, or the one at the last block's input, which follows exactly. */
  signal: choice(["logits", "last input"], {
    help: "the known gradient that is carried back",
    otherwise: "the last block's input where that takes little memory",
  }),
  /**
   * What keeps B small where the signal has many numbers: `nothing`; `positions`, one matrix for all positions of an example
   * (tokens), which the signal and the sites have in common; or a `sketch` of the signal. Default: nothing where B is no larger
   * than the parameters or 4 MiB, or else positions where there are any, or else a sketch.
   */
  reduce: choice(["nothing", "positions", "sketch"], {
    help: "what keeps the memory small",
    otherwise: "what is needed",
  }),
  /** The numbers of a sketch. Default: as many as keep B below the parameters' size. */
  sketch: whole(1, {
    help: "numbers of a sketch",
    otherwise: "as many as keep the memory below the parameters'",
  }),
};

/** Options of `feedback`. */
export type FeedbackOptions = Given<typeof feedbackOptions>;

/**
 * m_b = Bᵀ δ_b at each site, with δ_b the gradient of ℓ_b at a signal behind the sites, known after the forward pass, and a
 * matrix B, [O, n], that regresses the signal's tangents on the sites'. The signal is the last block's input, where the local
 * transpose of the last block carries the gradient exactly (the sites behind it then need no tangents); or the logits, where
 * that would take too much memory. R_b = Y_b − V_b Bᵀ is what B did not foresee, and
 *
 *     B_o += min(top_o, max(0.2, 1/(t + 2))) · Σ_b,i R_bio V_biᵀ / (Σ_b,i V_bi² + q/2),   top_o = 1 / (1 + √(n_o / (q · batch_o)))²
 *
 * is a step of least mean squares that stays stable where tangents are fewer than the dimensions that they span: batch_o
 * examples, each with n_o numbers that a ReLU lets through, have a δ at o that is not 0, and the first q of the k tangents
 * are learned from, about 256/O of them. As Y and V are known from the dual pass, B costs no further pass. Feedback that is
 * learned from perturbations: Lansdell et al. 2020 (arXiv 1906.00889); as a guess that tangents correct, for one tangent:
 * Bacho and Chu (arXiv 2212.07282).
 *
 * **Many outputs.** Where O · n is more than the parameters, B is of a reduced signal (`reduce`). Where the last block's input and
 * sites have positions in common, tokens, each position is an example of its own, and B the one mean Jacobian from a position to the
 * same position: O and n are then those of a position, and what attention carries across is left to the tangents. Elsewhere s sums of
 * the signal's numbers with random signs, S, stand for it: B learns SᵀJ and m = (SᵀJ)ᵀSᵀδ = JᵀPδ with a projector P on s of O
 * dimensions, so about s/O of the gradient is foreseen. Both leave E ĝ = ∇f.
 *
 * State: O · n numbers. Time: 4 · O · n · q · batch operations a step.
 *
 * @throws SettingError when γ is no number from 0 to 1, a sketch has no number, or there are no positions
 */
export const feedback = named(
  "guess",
  "feedback",
  feedbackOptions,
  ({ gamma, ...chosen }): GuessRule => ({
    gamma,
    sites: feedbackAtSites((sizes) => signalFor(sizes, chosen)),
  }),
);

/** A step of B takes so many numbers of the signal's tangents from each example: fewer tangents where each has more. */
const learnedNumbers = 256;

const feedbackAtSites = (signal: SiteGuess["signal"]): SiteGuess => ({
  signal,
  memory: ({ size }, outputs) => ({ matrix: [outputs, size] }),
  // m = δ B
  emitGuess: (g, delta, { matrix }) => g.matMul(delta, matrix as Value),
  // Tangents that all examples share are too few already.
  learned: (k, outputs, isShared) =>
    isShared ? k : Math.min(k, Math.max(1, Math.floor(learnedNumbers / outputs))),
  emitStep(g, delta, { sites, signalTangents, isShared, active, square, steps }) {
    const [learned = 0, batch = 0, outputs = 0] = signalTangents.shape;
    const rows = sites.map(({ tangents }) => {
      const [, examples = 0, size = 0] = tangents.shape;
      return { examples, flat: reshape(g, tangents, [learned * examples, size]) };
    });
    // P = V Bᵀ, summed over the sites
    const product = sites
      .map(({ memory }, site) => {
        const { examples, flat } = rows[site] as (typeof rows)[number];
        return reshape(g, g.gemm(flat, memory.matrix as Value, { transB: 1 }), [learned, examples, outputs]);
      })
      .reduce((total, term) => g.add(total, term));
    // What carries no error of an example teaches nothing of its Jacobian.
    const carries = g.sign(g.abs(delta));
    // R = Y − P
    const residual = g.mul(g.sub(signalTangents, product), reshape(g, carries, [1, batch, outputs]));
    const carrying = g.reduceSum(carries, [0], { keepdims: 0 });
    // Σ_b x_b over the examples that carry an error at o, [O]
    const sumOf = (values: Value) =>
      values.shape.length === 0
        ? g.mul(carrying, values)
        : reshape(g, g.matMul(transpose(g, carries, [1, 0]), reshape(g, values, [batch, 1])), [outputs]);
    const sum = g.max(sumOf(active), g.scalar("float32", 1));
    const squares = sumOf(g.mul(active, active));
    // Few examples may hold nearly all active numbers: s² / Σ n_b² are as many as count, of Σ n_b² / s numbers, s = Σ n_b.
    const perSample = g.div(squares, sum);
    const samples = isShared
      ? g.scalar("float32", 1)
      : g.div(g.mul(sum, sum), g.max(squares, g.scalar("float32", 1)));
    // top = 1 / (1 + √(numbers / (q · samples)))²
    const root = g.add(1, g.sqrt(g.div(perSample, g.mul(samples, learned))));
    const top = g.div(1, g.mul(root, root));
    // The first steps average all that was seen so far.
    const step = g.min(top, g.max(g.scalar("float32", leastStep), g.div(1, g.add(steps, 2))));
    return sites.map(({ tangents, memory }, site) => {
      const { examples, flat } = rows[site] as (typeof rows)[number];
      const errors =
        examples === 1
          ? g.reduceSum(residual, [1], { keepdims: 0 })
          : reshape(g, residual, [learned * batch, outputs]);
      // Rᵀ V
      const moved = g.gemm(errors, flat, { transA: 1 });
      // Σ v², by example: q where signs move a number
      const energy = g.reduceSum(g.mul(tangents, tangents), [0], { keepdims: 0 });
      const energies =
        examples === batch
          ? g.gemm(carries, energy, { transA: 1 })
          : g.mul(reshape(g, carrying, [outputs, 1]), energy);
      const weight = g.div(reshape(g, step, [outputs, 1]), g.add(energies, 0.5 * learned * square));
      return { matrix: g.add(memory.matrix as Value, g.mul(moved, weight)) };
    });
  },
});

/** The signal that is asked for, or the one that suits, reduced where it has many numbers. */
function signalFor(sizes: SignalSizes, chosen: Omit<Resolved<typeof feedbackOptions>, "gamma">) {
  const { signal = smallSignal(sizes), reduce, sketch } = chosen;
  const outputs = signal === "logits" ? sizes.logits : (sizes.lastInput ?? 0);
  const isSmall = outputs * sizes.sites <= Math.max(sizes.parameters, smallMemory);
  const isWhole = !reduce && sketch === undefined && (isSmall || chosen.signal);
  if (reduce === "nothing" || isWhole) return signal;
  // Loaded where it is of use: most models have few outputs.
  return import("./many-outputs.ts").then(({ reducedSignal }) => reducedSignal(sizes, chosen, signal));
}

/** The last block's input where there is one and B stays small, or is no larger than for the logits; otherwise the logits. */
function smallSignal({ logits, lastInput, sites, parameters }: SignalSizes): GuessSignal {
  if (lastInput === undefined) return "logits";
  const isSmall = lastInput * sites <= Math.max(parameters, smallMemory);
  return isSmall || lastInput <= logits ? "last input" : "logits";
}
