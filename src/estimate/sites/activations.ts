/** Activation perturbation, as a choice. */
import { isAlone } from "../../guess/guess.ts";
import { guessSetting } from "../../guess/guesses.ts";
import type { Differentiable } from "../../objective/objective.ts";
import { named } from "../../settings/named.ts";
import { type Resolved, toggle } from "../../settings/option.ts";
import type { EstimatorPlan, EstimatorRule, NoiseBound } from "../estimator.ts";
import { forwardGradient } from "../forward-gradient.ts";
import { findSites } from "./graphs.ts";
import { type ActivationsOptions, keptSites } from "./kept.ts";

/** What tangents at sites can be asked for. */
export const sharingOptions = {
  /** One set of tangents for all examples of a batch instead of one each. */
  shareTangents: toggle({ help: "one set of directions for all examples of a batch" }),
  /** What is foreseen of the gradient from earlier steps, for tangents to correct: none, or feedback. */
  guess: guessSetting,
};

/** Activation perturbation: tangents at the ends of layers, for each example its own coefficients. */
export const activations = named(
  "perturb",
  "activations",
  sharingOptions,
  (chosen): EstimatorRule => siteRule(chosen, { by: "curvature", largest: 0.18, curved: 0.2 }),
);

/** An estimator with tangents at sites: what it was asked for, what bounds its rate, and which blocks it perturbs, if any. */
export function siteRule(
  { shareTangents, guess: chosen }: Resolved<typeof sharingOptions>,
  noise: NoiseBound,
  blocks?: ActivationsOptions["blocks"],
): EstimatorRule {
  const found = guessSetting.choose(chosen);
  const guess = found.name === "none" ? undefined : found;
  const isLocal = guess !== undefined && isAlone(guess);
  return {
    isLocal,
    hasGuess: guess !== undefined && !isLocal,
    noise: isLocal ? { by: "nothing" } : noise,
    plan: (objective, options) => planSites(objective, { ...options, shareTangents, guess, blocks }),
  };
}

/** Finds the sites of an objective. @throws as `findSites` */
export async function planSites(
  objective: Differentiable,
  options: ActivationsOptions,
): Promise<EstimatorPlan> {
  const found = await findSites(objective, options);
  return {
    dimension: found.dimension,
    notes: options.guess?.sites && (await import("./signal.ts")).guessNotes(found, options.guess),
    async open() {
      // Loaded where they are asked for: pages that keep tangents do without.
      if (options.guess && isAlone(options.guess))
        return (await import("./alone.ts")).guessAlone(objective, options, found);
      return forwardGradient(await (await passesOf(options))(objective, options, found));
    },
  };
}

async function passesOf({ simulated, lowMemory }: ActivationsOptions) {
  if (simulated === "law") return (await import("./by-law.ts")).sitesByLaw;
  return lowMemory ? (await import("./redrawn.ts")).redrawnSites : keptSites;
}
