import { choice, type Given, number, whole } from "../settings/option.ts";
import { type TrainOptions, trainOptions } from "../train/settings/options.ts";

/** What a search is asked for besides what a training run is. */
export const ownSearchOptions = {
  /** Trials with each seed, over all rungs. Default 24. */
  evaluations: whole(2, { help: "training runs, with each seed", default: 24 }),
  /** Rounds of successive halving; the last one trains for the full length. Default 3. */
  rungs: whole(1, { help: "rounds; the last one trains for the full length", default: 3 }),
  /** One rate in so many goes on, with so many times the steps. Default 3. */
  reduction: whole(2, { help: "one rate in n goes on to the next round, n times as long", default: 3 }),
  /** Default: a 300th of the default learning rate. */
  lowest: number({ above: 0 }, { help: "lowest rate", otherwise: "a 300th of the default rate" }),
  /** Default: ten times the default learning rate. */
  highest: number({ above: 0 }, { help: "highest rate", otherwise: "ten times the default rate" }),
  /** What rates are judged by, on the validation examples. Default loss. */
  judge: choice(["loss", "accuracy"], {
    help: "what of the validation examples decides",
    default: "loss",
  }),
  /** Runs of each rate, with the seeds from `seed` on; rates are judged by their mean. Default 1. */
  seeds: whole(1, { help: "runs of each rate, with the seeds from the run's on", default: 1 }),
};

const { learningRate, test, ...runOptions } = trainOptions;

/** All options of `searchLearningRate`. */
export const searchOptions = { ...runOptions, ...ownSearchOptions };

/** What is trained, and how learning rates are searched. */
export interface LearningRateSearchOptions
  extends Omit<TrainOptions, "learningRate" | "test">,
    Given<typeof ownSearchOptions> {}
