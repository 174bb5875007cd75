/** Weight perturbation, as a choice. */
import { guessSetting } from "../../guess/guesses.ts";
import { countParameters } from "../../objective/parameters.ts";
import { named } from "../../settings/named.ts";
import { toggle } from "../../settings/option.ts";
import type { EstimatorRule } from "../estimator.ts";
import { forwardGradient } from "../forward-gradient.ts";
import type { EstimatorOptions } from "../passes.ts";

/** What tangents of weights can be asked for. */
export const weightsOptions = {
  /** What is foreseen of the gradient from earlier steps, for tangents to correct: none, or momentum. */
  guess: guessSetting,
  /** The last layer's gradient follows exactly from the loss, as with activations; only the parameters before it get tangents. */
  exactLastLayer: toggle({ help: "the last layer's gradient exactly, from the loss" }),
};

/**
 * Weight perturbation: every parameter is a site, and one set of tangents describes a whole step. With `exactLastLayer`, what
 * tangents measure is not drowned in the part of the gradient that is known without them.
 *
 * @throws SettingError when planned, where the last layer's gradient is asked for and there is none, or nothing else
 */
export const weights = named("perturb", "weights", weightsOptions, (chosen): EstimatorRule => {
  const guess = guessSetting.choose(chosen.guess);
  const { exactLastLayer } = chosen;
  return {
    noise: { by: "walk", step: 0.5, length: 1.9 },
    async plan(objective, options) {
      // Loaded where it is asked for: pages do without what they do not use.
      const lastLayer = exactLastLayer ? await import("./last-layer.ts") : undefined;
      const found = lastLayer?.findLastLayer(objective);
      const perturbed = found?.before ?? objective;
      return {
        dimension: countParameters(perturbed.parameters),
        guess: guess.name === "none" ? undefined : guess,
        async open() {
          // The last layer's gradient joins arrays.
          const own = lastLayer ? { ...options, factored: false, resident: false } : options;
          const passes = await passesOf(own);
          const estimator = forwardGradient(await passes(perturbed, { ...own, guess }));
          return lastLayer && found
            ? lastLayer.withLastLayer(estimator, objective, found, options)
            : estimator;
        },
      };
    },
  };
});

async function passesOf({ simulated, lowMemory, resident }: EstimatorOptions) {
  if (simulated === "law") return (await import("./by-law.ts")).weightsByLaw;
  if (resident && !lowMemory) return (await import("./redrawn.ts")).heldWeights;
  return lowMemory ? (await import("./redrawn.ts")).redrawnWeights : (await import("./kept.ts")).keptWeights;
}
