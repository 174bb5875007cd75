/** The guess of a run that asks for none by name: feedback where it applies, or else none, with the reason. */
import { SettingError } from "../../errors/errors.ts";
import { option, type Words, words } from "../../errors/words.ts";
import { feedback } from "../../guess/feedback.ts";
import type { Guess } from "../../guess/guess.ts";
import { exampleLayouts } from "../../objective/coupling.ts";
import type { Differentiable } from "../../objective/objective.ts";
import type { FoundSites } from "./found-sites.ts";
import { sitesOfBlocks } from "./graphs.ts";
import type { ActivationsOptions } from "./kept.ts";
import { fitsMemory, isOneLayer, sitesOfGuess } from "./signal.ts";

/** What a run without a guess of its own gets. */
export interface DefaultGuess {
  /** Absent where none applies. */
  readonly guess?: Guess;
  /** The sites that keep their tangents. */
  readonly found: FoundSites;
  /** Why none applies. */
  readonly notes: readonly Words[];
}

/** @param all the sites without a guess */
export async function defaultGuess(
  objective: Differentiable,
  { simulated, aggregator }: Pick<ActivationsOptions, "simulated" | "aggregator">,
  all: FoundSites,
): Promise<DefaultGuess> {
  const without = (why: Words | string): DefaultGuess => {
    const none = option("guess", "none");
    return {
      found: all,
      notes: [words`Nothing is foreseen of the gradient (${none}), because ${why}.`],
    };
  };
  if (simulated === "law") return without(words`${option("gradient", "law")} measures nothing to learn from`);
  if (aggregator.name !== "projection")
    return without(words`${option("aggregate", aggregator.name)} scales estimates in a way of its own`);
  if (isOneLayer(all)) return without("the one layer that is trained lies right before the loss");
  const guess = feedback();
  const found = await sitesOfGuess(objective, all, guess);
  if (!found.signal) {
    // The logits' gradient is read.
    const { output } = objective;
    const [layout] = output === undefined ? [] : await exampleLayouts(objective, [output]);
    if (!layout) return without("the model has no logits that belong to single examples");
  }
  if (!fitsMemory(objective, found, guess)) {
    const { notes, ...none } = without(
      words`what ${option("guess", "feedback")} learns would take more memory than the parameters`,
    );
    return { ...none, notes: [...notes, ...(await residualNotes(objective))] };
  }
  return { guess, found, notes: found.reduction ? await residualNotes(objective) : [] };
}

/** What deep residual networks, such as transformers, learn by, where their blocks are found: tangents alone have drowned in noise there. */
async function residualNotes(objective: Differentiable): Promise<readonly Words[]> {
  const { residualStream } = await import("../../ad/residual-stream.ts");
  const sites = await sitesOfBlocks(objective, true).catch((error: unknown) => {
    if (error instanceof SettingError) return [];
    throw error;
  });
  const stream = residualStream(
    objective.graph,
    sites.map(({ value }) => value),
  );
  if (!stream) return [];
  const [blocks, residual] = [option("perturb", "blocks"), option("guess", "residual")];
  return [
    words`This model is a residual network of many numbers, of which tangents alone see little at a time: ${blocks} ${residual}
      ${option("optimizer", "adam")} hands the gradient at the last block down instead.`,
  ];
}
