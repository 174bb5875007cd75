/** What low-rank adapters change in a run's settings. */
import { adaptModel } from "../../objective/adapters/adapt-model.ts";
import { withoutDropout } from "../../objective/dropout.ts";
import type { Model } from "../../onnx/read-model.ts";
import { trainOptions } from "./options.ts";
import type { RunOptions, RunSettings } from "./run-settings.ts";

/** The settings of a run, without its examples. */
type Adapted = Pick<RunOptions, "model" | "inPlace" | "trainable" | "merge" | "notes">;

/** Puts adapters into a model, which alone are trained, and says how they are saved. */
export function withAdapterSettings(
  base: Model,
  { adapter = {}, seed: runSeed }: RunSettings,
): Adapted & { readonly adapters: readonly string[] } {
  const { rank = trainOptions.adapter.parts.rank.default, seed = runSeed, target, alpha, saved } = adapter;
  const { model, parameters, note, merge } = adaptModel(base, { rank, seed, target, alpha });
  return {
    model,
    // An adapted model shares its numbers with the base that its adapters are merged into.
    inPlace: false,
    trainable: (name) => parameters.includes(name),
    ...(merge && saved !== "apart" && { merge: { into: withoutDropout(base), values: merge } }),
    notes: [note],
    adapters: parameters,
  };
}
