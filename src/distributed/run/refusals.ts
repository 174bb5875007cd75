/** What several workers do not train together yet, and why. */
import { SettingError } from "../../errors/errors.ts";
import { option, type Words, words } from "../../errors/words.ts";
import { batching } from "../../train/settings/batch.ts";
import type { TrainOptions } from "../../train/settings/options.ts";

/** @throws SettingError that names the option, and what will do */
export function requireTogether(options: TrainOptions): void {
  requireInGranules(options);
  const { batch, loss, quality } = options;
  const isTogether = typeof loss === "object" && loss !== null && "together" in loss;
  if (batch !== undefined && batching(batch).accumulate > 1 && isTogether)
    refuse(
      "batch.accumulate",
      words`The loss ${option("loss", nameOf(loss))} compares all examples of a batch with each other, which parts of it (${option("batch.accumulate")}) on
        several computers would not; leave ${option("batch.accumulate")} out.`,
    );
  if (quality?.every !== undefined || (quality?.draws ?? 0) > 0)
    refuse(
      "quality",
      words`Estimates are compared with the exact gradient (${option("quality.every")}) by draws that workers are not asked for; leave it out.`,
    );
}

/** @throws SettingError for what granules leave without effect, wherever they are computed */
export function requireInGranules(options: TrainOptions): void {
  const { perturb = "activations", gradient = "forward", tangentChunk } = options;
  if (gradient !== "forward")
    refuse(
      "gradient",
      words`Workers compute derivatives along tangents, and ${option("gradient", nameOf(gradient))} has none that could be shared; leave it out.`,
    );
  if (nameOf(perturb) !== "weights")
    refuse(
      "perturb",
      words`Of ${option("perturb", nameOf(perturb))}, each worker would have to send the gradient of all parameters, which is not there yet: a step of
        ${option("perturb", "weights")} is k numbers. Choose that, and ${option("sampler", "low-rank")} where the model is large.`,
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
      words`${option("perturb.exactLastLayer", true)} has a gradient of n numbers beside the k of a step, which workers do not send yet; leave it out.`,
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
