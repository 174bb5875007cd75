/** Activation perturbation, as a choice. */
import { type Guess, isAlone } from "../../guess/guess.ts";
import { guessSetting, openGuessSetting } from "../../guess/guesses.ts";
import type { Differentiable } from "../../objective/objective.ts";
import { rulesOf, withRules } from "../../ops/find-op.ts";
import { furtherOps } from "../../ops/further-ops.ts";
import { named } from "../../settings/named.ts";
import { type Resolved, toggle } from "../../settings/option.ts";
import type { EstimatorPlan, EstimatorRule, NoiseBound } from "../estimator.ts";
import { forwardGradient } from "../forward-gradient.ts";
import { defaultGuess } from "./default-guess.ts";
import { findSites } from "./graphs.ts";
import { type ActivationsOptions, keptSites } from "./kept.ts";
import { guessNotes } from "./signal.ts";

/** What tangents at sites can be asked for. */
export const sharingOptions = {
  /** One set of tangents for all examples of a batch instead of one each. */
  shareTangents: toggle({ help: "one set of directions for all examples of a batch" }),
  /**
   * What is foreseen of the gradient from earlier steps, for tangents to correct. Default: in runs of `train` feedback, where it
   * applies (a note says where it does not, and why); in single estimates none, because nothing is handed on.
   */
  guess: openGuessSetting,
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
  const guess = chosen === undefined ? undefined : guessSetting.choose(chosen);
  const isLocal = guess !== undefined && isAlone(guess);
  return {
    isLocal,
    noise: isLocal ? { by: "nothing" } : noise,
    plan: (objective, options) => planSites(objective, { ...options, shareTangents, guess, blocks }),
  };
}

/** Finds the sites of an objective, and a guess where it is left open. @throws as `findSites` */
export async function planSites(given: Differentiable, options: ActivationsOptions): Promise<EstimatorPlan> {
  const objective = await rulesForGuess(given, options.guess);
  const all = await findSites(objective, options);
  const isOpen = options.guess === undefined && options.remembers === true;
  const standard = isOpen ? await defaultGuess(objective, options, all) : undefined;
  const chosen = standard?.guess ?? options.guess;
  const guess = chosen?.name === "none" ? undefined : chosen;
  const found = standard?.found ?? all;
  const notes = guess?.sites ? guessNotes(found, guess) : [];
  return {
    dimension: found.dimension,
    guess: guess && !isAlone(guess) ? guess : undefined,
    notes: [...notes, ...(standard?.notes ?? [])],
    async open() {
      const settled = { ...options, guess };
      // Loaded where they are asked for: pages that keep tangents do without.
      if (guess && isAlone(guess)) return (await import("./alone.ts")).guessAlone(objective, settled, found);
      return forwardGradient(await (await passesOf(settled))(objective, settled, found));
    },
  };
}

/** The objective with the rules of what a guess of one's own may emit. */
async function rulesForGuess(objective: Differentiable, guess: Guess | undefined): Promise<Differentiable> {
  const { graph } = objective;
  const rules = await furtherOps([], graph.opset, [guess]);
  return { ...objective, graph: withRules(graph, { ...rulesOf(graph), ...rules }) };
}

async function passesOf({ simulated, lowMemory, resident }: ActivationsOptions) {
  if (simulated === "law") return (await import("./by-law.ts")).sitesByLaw;
  if (resident && !lowMemory) return (await import("./redrawn.ts")).heldSites(keptSites);
  return lowMemory ? (await import("./redrawn.ts")).redrawnSites : keptSites;
}
