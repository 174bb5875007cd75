/** How long a run goes on without getting better, and what of. */
import { group } from "../../settings/group.ts";
import { isFunction } from "../../settings/named-setting.ts";
import { requireOptions } from "../../settings/needs.ts";
import { choice, either, type Given, number, type Option, whole } from "../../settings/option.ts";
import type { Evaluation } from "../evaluation/measure-model.ts";

/** Metrics of an evaluation by name; whether the larger or the smaller is better, `watchedOf` knows. */
export const metricNames = [
  ...(["loss", "accuracy", "macroF1", "balancedAccuracy", "rocAuc"] as const),
  ...(["r2", "meanAbsoluteError", "rootMeanSquaredError", "entityF1", "perplexity"] as const),
  ...(["retrievalAccuracy", "meanReciprocalRank"] as const),
] as const;

/** A metric by name, or one of one's own: a function of what the validation examples say, of which the larger is better. */
export type Metric = (typeof metricNames)[number] | ((evaluation: Evaluation) => number);

/** How long a run waits for its validation examples, and for what of them. */
export interface Waiting {
  readonly epochs: number;
  readonly on: Metric;
}

const parts = {
  /** So many epochs. */
  epochs: whole(1, {
    help: "end after n epochs without a better validation loss, and keep the best parameters",
    flag: "patience",
  }),
  /** What has to get better: a metric by name, or a function of the evaluation, of which the larger is better. Default: the loss. */
  on: either(
    choice(metricNames, {
      help: "what has to get better on the validation examples",
      default: "loss",
      flag: "stop-on",
    }),
    {
      expected: "a function of the evaluation",
      accepts: isFunction,
    },
  ) as Option<Metric, "loss">,
  /** Ends the run after the step in which so many minutes are over; a resumed run has as many again. Default: it takes as long as it takes. */
  minutes: number(
    { above: 0 },
    {
      help: "end after the step in which n minutes are over; a resumed run has as many again",
      flag: "max-minutes",
      exempt: "the steps are the same",
    },
  ),
};

const together = group("patience", parts, {
  help: "ends the run before its last step: after epochs without improvement, whose best parameters are kept, or minutes",
});

/** A number of epochs, or an object that also says what is watched. */
export const patienceOption: Option<number | Given<typeof parts>, undefined> & {
  readonly parts: typeof parts;
} = {
  ...together,
  expected: "a whole number from 1, or an object of epochs, on and minutes",
  accepts: (given): given is number | Given<typeof parts> =>
    typeof given === "object" && given !== null
      ? together.accepts(given)
      : Number.isSafeInteger(given) && Number(given) >= 1,
};

/** @throws SettingError where nobody says how long */
export function waiting(given: number | Given<typeof parts> | undefined): Waiting | undefined {
  if (given === undefined) return undefined;
  if (typeof given === "number") return { epochs: given, on: "loss" };
  // Minutes end a run by themselves.
  if (given.minutes !== undefined && given.epochs === undefined && given.on === undefined) return undefined;
  requireOptions("train", parts, given, ["epochs"], "patience.");
  return { epochs: given.epochs ?? 1, on: given.on ?? "loss" };
}

/** How many minutes it may take; undefined: any. */
export function minutesOf(given: number | Given<typeof parts> | undefined): number | undefined {
  return typeof given === "object" ? given.minutes : undefined;
}
