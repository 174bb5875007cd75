import type { TrainResult } from "../train/events.ts";
import { trainOptions } from "../train/settings/options.ts";
import type { SettingData } from "./flags/setting-flags.ts";

/** A run of fewer steps, and of few epochs, says little about its settings. */
const fewSteps = 200;

/**
 * What to say of a run that ended near guessing, and what to try; nothing where it did not.
 *
 * @param isLocal whether no tangents are drawn, and the gradient is not exact either
 * @param isUnscaled whether a model file reads a table's columns as they are
 */
export function guessingAdvice(
  outcome: TrainResult,
  { gradient, perturb, learningRate, steps }: SettingData,
  { isLocal = false, isUnscaled = false }: { readonly isLocal?: boolean; readonly isUnscaled?: boolean } = {},
): string[] {
  const { guessing } = outcome;
  if (!guessing?.isNear) return [];
  const { accuracy, loss, examples } = guessing;
  const percent = (value: number | undefined) => `${(100 * (value ?? 0)).toFixed(1)} %`;
  const isTest = examples === "test";
  const own = isTest ? outcome.testAccuracy : outcome.validationAccuracy;
  const ownLoss = isTest ? outcome.testLoss : outcome.validationLoss;
  const compared =
    accuracy === undefined
      ? `always answering the mean has a loss of ${loss?.toFixed(4)} on the ${examples} examples, and this model ${ownLoss?.toFixed(4)}`
      : `always answering the most frequent class is right for ${percent(accuracy)} of the ${examples} examples, and this ` +
        `model for ${percent(own)}`;
  // In the flag that said how long the run was.
  const isShort = outcome.epochs < 10;
  const epochs = Math.max(10, Math.ceil(4 * outcome.epochs));
  const longer = !isShort
    ? []
    : [
        typeof steps === "number"
          ? `longer training: --steps ${10 * Math.max(1, steps)} (it was ${steps})`
          : `longer training: --epochs ${epochs} (it was ${outcome.epochs.toFixed(1)})`,
      ];
  const isExact = gradient === "exact" || (outcome.tangents === 0 && !isLocal);
  // What is to be said of so few steps is that they are few.
  if (isShort && outcome.steps < fewSteps)
    return [
      `near guessing: ${compared}. ${outcome.steps} steps are too few to tell whether it learns; try`,
      ...longer,
    ].map((line, index) => (index === 0 ? line : `  ${line}`));
  const tries = [
    ...longer,
    ...(isUnscaled
      ? ["columns on one scale, subtracted their means and divided by their deviations: --standardize"]
      : []),
    ...(!isExact && siteOf(perturb) !== "activations"
      ? ["estimates with less noise: --perturb activations"]
      : []),
    ...(learningRate === undefined ? [] : [`the default learning rate: without --lr ${learningRate}`]),
    "a learning rate for this data: forwardgrad search with the same flags",
    ...(isExact
      ? ["another model, or other labels: exact gradients do not learn these"]
      : [
          ...(outcome.tangents === 0 ? [] : [`more tangents: --tangents ${4 * outcome.tangents}`]),
          "--gradient exact, which tells whether this model can learn this data at all",
        ]),
  ];
  return [`near guessing: ${compared}. Try`, ...tries.map((line) => `  ${line}`)];
}

/** What is perturbed, by name. */
function siteOf(perturb: SettingData["perturb"] = trainOptions.perturb.default): unknown {
  return typeof perturb === "object" && perturb !== null && "name" in perturb ? perturb.name : perturb;
}
