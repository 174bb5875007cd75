/** Which sites keep their tangents where a guess reads a gradient that is known behind the others. */

import { reserved } from "../../ad/names.ts";
import { option, type Words, words } from "../../errors/words.ts";
import { type Guess, type GuessSignal, isAlone, type SignalSizes, smallMemory } from "../../guess/guess.ts";
import type { Differentiable } from "../../objective/objective.ts";
import { countParameters } from "../../objective/parameters.ts";
import { type Graph, getValue } from "../../onnx/graph.ts";
import { elementCount } from "../../onnx/tensor.ts";
import type { FoundSite, FoundSites } from "./found-sites.ts";
import type { FoundSignal } from "./residual-signal.ts";

/**
 * Finds the site at which the guess reads the gradient, and takes away those whose gradients follow from what lies behind it:
 * that site, and all after it. Their parameters join the last block, whose gradient is exact.
 *
 * @throws SettingError where a residual stream is read and there is none
 */
export async function sitesOfGuess(
  objective: Pick<Differentiable, "graph" | "parameters" | "output" | "batch">,
  found: FoundSites,
  guess: Guess,
): Promise<FoundSites> {
  const { graph } = objective;
  const { signal: rule = "logits" } = guess.sites ?? {};
  const chosen = typeof rule === "function" ? await rule(sizesOf(objective, found)) : rule;
  const { signal, by: reducedBy } = typeof chosen === "string" ? { signal: chosen, by: undefined } : chosen;
  if (signal === "logits")
    return reducedBy
      ? (await import("./reduced-signal.ts")).reducedSites(objective, found, reducedBy, guess)
      : found;
  const { name, isSummed, carry } = await signalOf(graph, found, signal, guess.name);
  const index = found.sites.findIndex(({ value }) => value === name);
  // Where nothing else is left, the last block's input is perturbed itself.
  const sites = found.sites
    .slice(0, Math.max(1, index))
    .map((site) => ({ ...site, isSummed: isSummed(site.value) }));
  const behind = [...found.sites.slice(sites.length), ...(found.last ? [found.last] : [])];
  const parameters = [...new Set(behind.flatMap((site) => site.parameters))];
  const known = {
    sites,
    signal: found.sites[index] as FoundSite,
    last: { value: reserved.losses, parameters },
    dimension: sites.reduce((total, { size }) => total + size, 0),
    carry,
  };
  return reducedBy
    ? (await import("./reduced-signal.ts")).reducedSites(objective, known, reducedBy, guess)
    : known;
}

/** Whether all parameters lie in one layer or block, the gradient behind which is known. */
export function isOneLayer({ sites, last }: FoundSites): boolean {
  return last === undefined && sites.length < 2;
}

/** What a guess leaves out, and what it makes of the estimate, in sentences. */
export function guessNotes(found: FoundSites, guess: Guess): readonly Words[] {
  const { sites, signal } = found;
  const chosen = option("guess", guess.name);
  const notes: Words[] = found.reduction ? [found.reduction.note] : [];
  if (!signal && isOneLayer(found))
    notes.push(
      words`The model is one layer, and the gradient behind it follows from the loss: ${chosen} has to learn what is known
        there. ${option("gradient", "exact")} costs less.`,
    );
  if (isAlone(guess))
    notes.push(
      words`${chosen} alone, which nothing corrects (γ = 0), draws no tangents: each block learns from the
        gradient behind the last one. That is a local method and no forward gradient.`,
    );
  const beside = sites.filter(({ isSummed }) => !isSummed);
  if (guess.sites?.signal === "residual stream" && beside.length > 0)
    notes.push(
      words`The residual stream does not pass ${beside.length} of the ${sites.length} sites (${listed(beside)}): nothing is foreseen
        there, and ${isAlone(guess) ? "what they end is not trained" : "tangents alone measure the gradient"}. Sites at the ends
        of residual blocks lie on it (${option("perturb", "blocks")}).`,
    );
  return notes;
}

/** Whether what a guess remembers takes no more than the parameters do, or little. */
export function fitsMemory(
  objective: Parameters<typeof sitesOfGuess>[0],
  found: FoundSites,
  guess: Guess,
): boolean {
  const { logits, parameters } = sizesOf(objective, found);
  const outputs = found.signal?.size ?? logits;
  const rule = guess.sites && (found.reduction?.of(guess.sites) ?? guess.sites);
  const numbers = found.sites.reduce((sum, site) => {
    const shapes = Object.values(rule?.memory?.({ isSummed: false, ...site }, outputs) ?? {});
    return sum + shapes.reduce((total, shape) => total + elementCount(shape), 0);
  }, 0);
  return numbers <= Math.max(parameters, smallMemory);
}

function listed(sites: readonly FoundSite[]): string {
  const shown = sites.slice(0, 4).map(({ value }) => `'${value}'`);
  return `${shown.join(", ")}${sites.length > shown.length ? ", …" : ""}`;
}

function sizesOf(
  { graph, parameters, output, batch }: Parameters<typeof sitesOfGuess>[0],
  found: FoundSites,
): SignalSizes {
  const inputs = lastInputs(found);
  return {
    positions: async () => (await import("./reduced-signal.ts")).commonPositions(graph, batch, inputs),
    logits: output === undefined ? 0 : elementCount(getValue(graph, output).shape) / batch,
    lastInput: inputs.length > 1 ? inputs.at(-1)?.size : undefined,
    sites: found.dimension,
    parameters: countParameters(parameters),
  };
}

/** The sites that the last block may read: one that ends it is none of them. */
function lastInputs({ sites, last }: FoundSites): readonly FoundSite[] {
  return last ? sites : sites.slice(0, -1);
}

/** The name of the signal's value, and which sites reach it by sums alone. */
async function signalOf(
  graph: Graph,
  found: FoundSites,
  signal: Exclude<GuessSignal, "logits">,
  guess: string,
): Promise<FoundSignal> {
  const names = found.sites.map(({ value }) => value);
  if (signal === "last input") {
    const name = lastInputs(found).at(-1)?.value ?? (names.at(-1) as string);
    return { name, isSummed: (value) => value === name };
  }
  // Loaded where it is asked for: most guesses do without.
  return (await import("./residual-signal.ts")).residualSignal(graph, names, guess, found.last !== undefined);
}
