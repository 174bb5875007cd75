/** Which sites keep their tangents where a guess reads a gradient that is known behind the others. */

import { reserved } from "../../ad/names.ts";
import { residualStream } from "../../ad/residual-stream.ts";
import { SettingError } from "../../errors/errors.ts";
import { option, type Words, words } from "../../errors/words.ts";
import { type Guess, type GuessSignal, isAlone } from "../../guess/guess.ts";
import type { Graph } from "../../onnx/graph.ts";
import type { FoundSite, FoundSites } from "./found-sites.ts";

/**
 * Finds the site at which the guess reads the gradient, and takes away those whose gradients follow from what lies behind it:
 * that site, and all after it. Their parameters join the last block, whose gradient is exact.
 *
 * @throws SettingError where a residual stream is read and there is none
 */
export function sitesOfGuess(graph: Graph, found: FoundSites, guess: Guess): FoundSites {
  const signal = guess?.sites?.signal ?? "logits";
  if (signal === "logits") return found;
  const { name, isSummed } = signalOf(graph, found, signal, guess.name);
  const index = found.sites.findIndex(({ value }) => value === name);
  // Where nothing else is left, the last block's input is perturbed itself.
  const sites = found.sites
    .slice(0, Math.max(1, index))
    .map((site) => ({ ...site, isSummed: isSummed(site.value) }));
  const behind = [...found.sites.slice(sites.length), ...(found.last ? [found.last] : [])];
  const parameters = [...new Set(behind.flatMap((site) => site.parameters))];
  return {
    sites,
    signal: found.sites[index] as FoundSite,
    last: { value: reserved.losses, parameters },
    dimension: sites.reduce((total, { size }) => total + size, 0),
  };
}

/** What a guess leaves out, and what it makes of the estimate, in sentences. */
export function guessNotes({ sites }: FoundSites, guess: Guess): readonly Words[] {
  const chosen = option("guess", guess.name);
  const notes: Words[] = [];
  if (isAlone(guess))
    notes.push(
      words`${chosen} alone, which nothing corrects (${option("guess.gamma", 0)}), draws no tangents: each block learns from the
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

function listed(sites: readonly FoundSite[]): string {
  const shown = sites.slice(0, 4).map(({ value }) => `'${value}'`);
  return `${shown.join(", ")}${sites.length > shown.length ? ", …" : ""}`;
}

/** The name of the signal's value, and which sites reach it by sums alone. */
function signalOf(
  graph: Graph,
  { sites, last }: FoundSites,
  signal: Exclude<GuessSignal, "logits">,
  guess: string,
): { readonly name: string; readonly isSummed: (value: string) => boolean } {
  const names = sites.map(({ value }) => value);
  if (signal === "last input") {
    // A site that ends the last block is not what that block reads.
    const inputs = last ? names : names.slice(0, -1);
    const name = inputs.at(-1) ?? (names.at(-1) as string);
    return { name, isSummed: (value) => value === name };
  }
  const stream = residualStream(graph, names);
  const isSummed = (value: string) => stream?.values.has(value) === true;
  if (stream && names.slice(0, names.indexOf(stream.lastInput)).some(isSummed))
    return { name: stream.lastInput, isSummed };
  throw new SettingError(
    words`${option("guess", guess)} needs two sites or more on a residual stream (values that sums x + f(x) hand on in one
      shape, as in a transformer), and the ${names.length} sites of '${graph.name}' have none that goes on from one to the next;
      choose ${option("guess", "feedback")}, or name the blocks between the sums (${option("perturb.pattern")}).`,
    { option: "guess" },
  );
}
