/** The settings whose values are chosen from a registry: by name, as data, or as an object. */
import type { Aggregator } from "../../aggregate/aggregator.ts";
import { aggregators } from "../../aggregate/aggregators.ts";
import type { Loss } from "../../losses/loss.ts";
import { losses } from "../../losses/losses.ts";
import type { Optimizer } from "../../optim/optimizer.ts";
import { optimizers } from "../../optim/optimizers.ts";
import { type Schedule, schedules } from "../../optim/schedules.ts";
import { isFunction, namedSetting } from "../../settings/named-setting.ts";
import { isFill, type Sampler } from "../../tangents/sampler.ts";
import { samplers } from "../../tangents/samplers.ts";

/** What a run is asked for: one of the aggregators, or one of the user's own. */
export const aggregateSetting = namedSetting<typeof aggregators, Aggregator>("aggregate", aggregators, {
  help: "how derivatives become a gradient",
  parts: {
    aggregate: isFunction,
    expectedGain: isFunction,
    usesGram: (part) => typeof part === "boolean",
  },
  default: "projection",
});

/** What a run is asked for: one of the optimizers, or a rule of the user's own. */
export const optimizerSetting = namedSetting<typeof optimizers, Optimizer>("optimizer", optimizers, {
  help: "rule that moves the parameters",
  parts: { init: isFunction, update: isFunction },
  default: "sgd",
});

/** What a run is asked for: one of the schedules, or one of the user's own. */
export const scheduleSetting = namedSetting<typeof schedules, Schedule>("schedule", schedules, {
  help: "how the learning rate changes",
  parts: { factor: isFunction },
  default: "cosine",
});

/** What a run is asked for: one of the samplers, or one of the user's own. */
export const samplerSetting = namedSetting<typeof samplers, Sampler>("sampler", samplers, {
  help: "where tangents come from",
  parts: { fill: isFill },
});

/** What a run is asked for: one of the losses, or one of the user's own. */
export const lossSetting = namedSetting<typeof losses, Loss>("loss", losses, {
  help: "loss",
  parts: { target: isFunction, perExample: isFunction },
  default: "cross-entropy",
});
