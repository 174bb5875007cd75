/** The settings that choose an estimator, and the estimator that they choose. */
import { option as mention, words } from "../../errors/words.ts";
import type { Estimator, EstimatorDefinition, EstimatorPlan } from "../../estimate/estimator.ts";
import { exact, perturbations } from "../../estimate/estimators.ts";
import type { EstimatorOptions } from "../../estimate/passes.ts";
import type { Differentiable } from "../../objective/objective.ts";
import { differentiable } from "../../objective/objective-options.ts";
import { checkArgument } from "../../settings/check-argument.ts";
import { elsewhere } from "../../settings/elsewhere.ts";
import { isFunction, namedSetting } from "../../settings/named-setting.ts";
import {
  choice,
  type Elsewhere,
  either,
  type Given,
  isObject,
  type Resolved,
  toggle,
  whole,
} from "../../settings/option.ts";
import { aggregateSetting, samplerSetting } from "./choices.ts";
import { refusePointless, resolveSettings } from "./resolve.ts";

/** What somebody may ask of `gradient`, and where it belongs. */
const notGradients: Elsewhere = {
  ...Object.fromEntries(Object.keys(perturbations).map((name) => [name, ["perturb", name] as const])),
  ...{ backprop: ["gradient", "exact"], reverse: ["gradient", "exact"] },
};

/** How the gradient is estimated. */
export const estimatorOptions = {
  /**
   * forward: from directional derivatives by dual passes; simulated: the same, but from derivatives that the exact gradient
   * gives, which is cheaper for many tangents; law: not the same, but drawn from the same distribution, which costs as much for any
   * number of independent gaussian (default) or sphere tangents; exact: by reverse mode, the baseline; or an estimator of your own, to which
   * `perturb` says nothing but what the default learning rate is for. Default forward.
   */
  gradient: either<"forward" | "simulated" | "law" | "exact", "forward", EstimatorDefinition>(
    choice(["forward", "simulated", "law", "exact"], {
      help: "forward; simulated from exact ones; drawn by their law; or exact",
      default: "forward",
      elsewhere: notGradients,
      advise: (value) => elsewhere({ elsewhere: notGradients }, value),
    }),
    {
      expected: "an estimator of your own",
      accepts: (value) => isObject(value) && typeof value.name === "string" && isFunction(value.plan),
    },
  ),
  /** Where tangents are injected: activations (default), weights, or blocks, with options of their own. */
  perturb: namedSetting<typeof perturbations, EstimatorDefinition>("perturb", perturbations, {
    help: "where tangents are injected",
    parts: { name: (name) => typeof name === "string", plan: isFunction },
    default: "activations",
    elsewhere: { exact: ["gradient", "exact"], backprop: ["gradient", "exact"] },
  }),
  /** k, the number of tangents of a step. Default 16. */
  tangents: whole(1, { help: "directions a step", default: 16, known: ["k"] }),
  /** Tangents processed at once. Default: all. */
  tangentChunk: whole(1, { help: "directions computed at once", otherwise: "all" }),
  /** Default: rademacher, or gaussian where k is more than an eighth of the dimension (`defaultSampler`). */
  sampler: samplerSetting,
  /** How derivatives become a gradient. Default projection. */
  aggregate: aggregateSetting,
  /** Runs layer by layer and draws tangents again instead of keeping them: memory does not grow with depth. */
  lowMemory: toggle({ help: "run layer by layer: memory does not grow with depth" }),
};

/** How the gradient is estimated. */
export interface EstimatorSettings extends Given<typeof estimatorOptions> {}

/** How the gradient is estimated, with things instead of their names. */
export type ChosenEstimator = ReturnType<typeof chosenEstimator>;

/** Compiles the estimator that the settings describe. @throws SettingError for what is no objective, and for settings that make no estimator */
export async function createEstimator(
  objective: Differentiable,
  settings: EstimatorSettings = {},
): Promise<Estimator> {
  checkArgument("createEstimator", differentiable, objective);
  return (await planEstimator(objective, resolveEstimator(settings))).open();
}

/** The settings checked, with defaults, and with things instead of their names. @throws SettingError */
export function resolveEstimator(settings: EstimatorSettings): ChosenEstimator {
  const resolved = resolveSettings(estimatorOptions, settings, { of: "createEstimator" });
  checkEstimator(settings);
  return chosenEstimator(resolved);
}

/** Of the options, what an estimator other than the forward ones does not read. */
export const ofForward = [
  "perturb",
  "tangents",
  "tangentChunk",
  "sampler",
  "aggregate",
  "lowMemory",
] as const;

/** @throws SettingError for what was given without any effect */
export function checkEstimator(settings: EstimatorSettings): void {
  const { gradient, lowMemory } = settings;
  if (gradient === "exact")
    for (const name of ofForward) {
      const because = words`${mention("gradient", "exact")}, which has no tangents`;
      // An option of what is perturbed, where that is not chosen itself.
      const { name: own, ...parts } = partsOf(settings[name]);
      const [part] = Object.keys(parts);
      if (part !== undefined && (own === undefined || own === estimatorOptions[name].default))
        refusePointless(`${name}.${part}`, parts[part], because);
      refusePointless(name, settings[name], because);
    }
  if (gradient === "simulated" || gradient === "law")
    refusePointless(
      "lowMemory",
      lowMemory,
      words`${mention("gradient", gradient)}, which keeps what a reverse pass needs`,
    );
  if (gradient === "law")
    refusePointless(
      "tangentChunk",
      settings.tangentChunk,
      words`${mention("gradient", "law")}, which draws no tangents`,
    );
}

/** The options of a setting that is given as data. */
function partsOf(value: unknown): Readonly<Record<string, unknown>> {
  return isObject(value) && !("plan" in value) ? value : {};
}

/** Things instead of their names. */
export function chosenEstimator(settings: Resolved<typeof estimatorOptions>) {
  const { gradient, sampler } = settings;
  const perturb = estimatorOptions.perturb.choose(settings.perturb);
  return {
    ...settings,
    perturb,
    definition: typeof gradient === "object" ? gradient : gradient === "exact" ? exact() : perturb,
    sampler: sampler === undefined ? undefined : samplerSetting.choose(sampler),
    aggregate: aggregateSetting.choose(settings.aggregate),
  };
}

/** How many tangents a step draws: none for exact gradients, and where a guess alone is learned from. */
export function drawnTangents({
  gradient,
  tangents,
  definition,
}: Pick<ChosenEstimator, "gradient" | "tangents" | "definition">): number {
  return gradient === "exact" || definition.isLocal ? 0 : tangents;
}

/**
 * What is known of the estimator that the settings choose, before anything is differentiated.
 *
 * @param uses what steps make of its estimates: whether they hand on what it remembers, and take gradients as products, or where they are.
 * Default: each estimate is for itself, and all gradients are arrays
 */
export function planEstimator(
  objective: Differentiable,
  chosen: ChosenEstimator,
  uses: Pick<EstimatorOptions, "remembers" | "factored" | "resident"> = {},
): Promise<EstimatorPlan> {
  const { definition, gradient, tangents, tangentChunk, lowMemory, aggregate: aggregator, sampler } = chosen;
  // One of the user's own may wrap one of ours, and hand on nothing.
  const isOurs = gradient === "exact" || Object.hasOwn(perturbations, definition.name);
  return definition.plan(objective, {
    ...{ tangents, tangentChunk, lowMemory, aggregator, sampler },
    simulated: gradient === "law" ? gradient : gradient === "simulated",
    ...(isOurs ? uses : {}),
  });
}
