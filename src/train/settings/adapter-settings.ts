/** What low-rank adapters change in a run's settings. */
import { option, words } from "../../errors/words.ts";
import { adaptModel } from "../../objective/adapters/adapt-model.ts";
import { withoutDropout } from "../../objective/dropout.ts";
import type { Model } from "../../onnx/read-model.ts";
import { trainOptions } from "./options.ts";
import type { RunOptions, RunSettings } from "./run-settings.ts";

/** The settings of a run, without its examples. */
type Adapted = Pick<RunOptions, "model" | "inPlace" | "trainable" | "merge" | "notes">;

/** Whether adapters lie in several attentions: two tensors each, at two matrices of one. */
function isDeep({ nodes }: Model, parameters: readonly string[]): boolean {
  return parameters.length > 4 && nodes.some(({ op }) => op === "Softmax" || op.includes("Attention"));
}

/** What bench/README.md measured of transformers of some layers. */
const hardlyMoves = words`Tangents at activations hardly move adapters of a transformer of several layers. ${option("gradient", "exact")} does, where all
  layers' activations fit into memory, and where there are three blocks or more ${option("perturb", "blocks")} with ${option("perturb.guess", "residual")} and
  ${option("optimizer", "adam")}, a local method; ${option("perturb", "weights")} needs forward passes alone and many steps: find its rate by a search.`;

/** Puts adapters into a model, which alone are trained, and says how they are saved. */
export function withAdapterSettings(
  base: Model,
  { adapter = {}, seed: runSeed, gradient, perturb }: RunSettings,
): Adapted & { readonly adapters: readonly string[] } {
  const { rank = trainOptions.adapter.parts.rank.default, seed = runSeed, target, alpha, saved } = adapter;
  const { model, parameters, note, merge } = adaptModel(base, { rank, seed, target, alpha });
  return {
    model,
    // An adapted model shares its numbers with the base that its adapters are merged into.
    inPlace: false,
    trainable: (name) => parameters.includes(name),
    ...(merge && saved !== "apart" && { merge: { into: withoutDropout(base), values: merge } }),
    notes:
      gradient === "forward" && perturb.name === "activations" && isDeep(base, parameters)
        ? [note, hardlyMoves]
        : [note],
    adapters: parameters,
  };
}
