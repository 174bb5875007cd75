/** By what workers share a step, and what they do not train together, and why. */
import { SettingError } from "../../errors/errors.ts";
import { option, type Words, words } from "../../errors/words.ts";
import type { Differentiable } from "../../objective/objective.ts";
import { batching } from "../../train/settings/batch.ts";
import type { TrainOptions } from "../../train/settings/options.ts";

/** By what a step is shared: granules of its tangents, which are few numbers, or parts of its batch, which are gradients. */
export function isInGranules({
  perturb = "activations",
  gradient = "forward",
  batch,
}: TrainOptions): boolean {
  const isLocal = typeof batch === "object" && batch.localSteps !== undefined;
  return gradient === "forward" && nameOf(perturb) === "weights" && !isLocal;
}

/** What is said of a run's sharing, besides its options. */
export interface Sharing {
  readonly granule?: number | undefined;
  readonly sliced?: boolean | undefined;
  readonly quorum?: number | undefined;
}

/** @throws SettingError that names the option, and what will do */
export function requireTogether(options: TrainOptions, sharing: Sharing = {}): void {
  if (isInGranules(options)) requireInGranules(options);
  else requireInParts(options, sharing);
  const { batch, loss, quality } = options;
  const isTogether = typeof loss === "object" && loss !== null && "together" in loss;
  const isSplit = !isInGranules(options) || (batch !== undefined && batching(batch).accumulate > 1);
  if (isSplit && isTogether)
    refuse(
      "batch.accumulate",
      words`The loss ${option("loss", nameOf(loss))} compares all examples of a batch with each other, which parts of it (${option("batch.accumulate")}) on
        several computers would not; ${isInGranules(options) ? words`leave ${option("batch.accumulate")} out` : words`share its tangents instead (${option("perturb", "weights")})`}.`,
    );
  if (quality?.every !== undefined || (quality?.draws ?? 0) > 0)
    refuse(
      "quality",
      words`Estimates are compared with the exact gradient (${option("quality.every")}) by draws that workers are not asked for; leave it out.`,
    );
}

/** @throws SettingError for what parts of batches cannot be, or leave without effect */
function requireInParts({ gradient = "forward", batch }: TrainOptions, sharing: Sharing): void {
  if (gradient !== "forward" && gradient !== "exact")
    refuse(
      "gradient",
      words`${option("gradient", nameOf(gradient))} cannot be had part by part from workers: choose forward or exact
        (${option("gradient", "exact")}), or train on one computer.`,
    );
  if (batch !== undefined && typeof batch === "object" && batch.accumulate === 1)
    refuse(
      "batch.accumulate",
      words`A step whose batch has one part (${option("batch.accumulate", 1)}) leaves workers nothing to share; leave it out for ${defaultParts} parts, or
        choose as many as there are workers.`,
    );
  for (const name of ["granule", "sliced"] as const)
    if (sharing[name] !== undefined)
      refuse(
        name,
        words`${option(name, sharing[name])} is about tangents of weights (${option("perturb", "weights")}); here, a step is shared by parts of its batch
          (${option("batch.accumulate")}). Leave it out.`,
      );
  if (sharing.quorum !== undefined && sharing.quorum < 1)
    refuse(
      "quorum",
      words`${option("quorum", sharing.quorum)} would leave examples out of a step, which is the mean over all parts of its batch; leave it out.`,
    );
}

/** So many parts has a batch of which nothing else is said: it is a part of what the run is, so that it does not depend on who works. */
export const defaultParts = 4;

/** The same run, with a batch in parts. */
export function inSharedParts(options: TrainOptions): TrainOptions {
  const { batch } = options;
  const given = typeof batch === "object" ? batch : batch === undefined ? {} : { size: batch };
  return { ...options, batch: { ...given, accumulate: given.accumulate ?? defaultParts } };
}

/** @throws SettingError for a model that keeps statistics of batches, of which each part has others */
export function requireNoStatistics({ statistics = {} }: Pick<Differentiable, "statistics">): void {
  const [name] = Object.keys(statistics);
  if (name !== undefined)
    refuse(
      "batchNorm",
      words`The model keeps statistics of batches ('${name}'), which follow each part of a batch one after the other, and workers compute them at
        once; use those that it has (${option("batchNorm", "frozen")}).`,
    );
}

/** @throws SettingError for what granules leave without effect, wherever they are computed */
export function requireInGranules(options: TrainOptions): void {
  const { perturb = "activations", gradient = "forward", tangentChunk } = options;
  if (gradient !== "forward")
    refuse(
      "gradient",
      words`Granules are tangents, and ${option("gradient", nameOf(gradient))} has none that could be shared; leave ${option("granule")} out.`,
    );
  if (nameOf(perturb) !== "weights")
    refuse(
      "perturb",
      words`Granules are tangents of weights, and ${option("perturb", nameOf(perturb))} has others; choose ${option("perturb", "weights")}, or leave
        ${option("granule")} out.`,
    );
  const { guess, exactLastLayer } = partsOf(perturb);
  if (guess !== undefined && guess !== null && nameOf(guess) !== "none")
    refuse(
      "perturb.guess",
      words`${option("perturb.guess", nameOf(guess))} learns from what is in no record of the run; workers train without a guess.`,
    );
  if (exactLastLayer === true)
    refuse(
      "perturb.exactLastLayer",
      words`${option("perturb.exactLastLayer", true)} has a gradient of n numbers beside the k of a step, which is in no record of the run; leave it out.`,
    );
  if (tangentChunk !== undefined)
    refuse(
      "tangentChunk",
      words`A granule says how many tangents are computed at once (${option("granule", null)}); leave ${option("tangentChunk")} out.`,
    );
}

function refuse(name: string, message: Words): never {
  throw new SettingError(message, { option: name });
}

function nameOf(thing: unknown): string {
  if (typeof thing === "string") return thing;
  const { name } = thing as { readonly name?: unknown };
  return typeof name === "string" ? name : "of one's own";
}

/** Options of a thing with a name, in whichever form it was given. */
function partsOf(thing: unknown): Readonly<Record<string, unknown>> {
  if (typeof thing !== "object" || thing === null) return {};
  const { config } = thing as { readonly config?: unknown };
  return (typeof config === "object" && config !== null ? config : thing) as Readonly<
    Record<string, unknown>
  >;
}
