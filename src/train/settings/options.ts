/** The options of a training run, each described once. */

import type { Examples } from "../../data/dataset.ts";
import type { ExampleStream } from "../../data/example-stream.ts";
import { words } from "../../errors/words.ts";
import {
  batchNormOption,
  byParameters,
  modelOption,
  readingOptions,
  runtimeOption,
} from "../../objective/options.ts";
import type { Graph } from "../../onnx/graph.ts";
import type { Model } from "../../onnx/read-model.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import { group } from "../../settings/group.ts";
import { isFunction } from "../../settings/named-setting.ts";
import {
  choice,
  either,
  type Given,
  isObject,
  names,
  number,
  type Option,
  toggle,
  value,
  whole,
} from "../../settings/option.ts";
import type { RunStore } from "../../storage/run-store.ts";
import type { ExampleArrays } from "../example-arrays.ts";
import { batchOption } from "./batch.ts";
import { lossSetting, optimizerSetting, scheduleSetting } from "./choices.ts";
import { estimatorOptions } from "./estimator.ts";
import { patienceOption } from "./patience.ts";

/**
 * Every option of a training run, said once: from here follow defaults, checks, the run's identity (config.json), the
 * command line's flags with their help, and what is said of a wrong name.
 */

/** What is trained of a model, and how its file is read. */
const modelOptions = {
  /** Default cross-entropy. */
  loss: lossSetting,
  ...readingOptions,
  /** Trains low-rank adapters of stored matrices alone, saved merged into the matrices or apart. Default: none. */
  adapter: group(
    "adapter",
    {
      /** r: columns of B and rows of A. */
      rank: whole(1, { help: "rank of the adapters, or else of low-rank tangents", default: 1 }),
      /**
       * Which stored matrices are adapted; convolution kernels count as [out, in·kernel]. Default: the projections to queries
       * and values of attention; without attention, all that layers multiply by.
       */
      target: names({
        help: "which matrices get adapters",
        otherwise: "those of attention",
        flag: "adapter-target",
        exempt: byParameters,
      }),
      /** The product is scaled by alpha / rank. Default: rank, so by 1. */
      alpha: number({ above: 0 }, { help: "adapters are scaled by alpha/rank", otherwise: "rank" }),
      /** Decides the adapters' first numbers. Default: the run's seed. */
      seed: whole(0, {
        help: "decides the adapters' first numbers",
        otherwise: "the run's seed",
        flag: false,
      }),
      /** Merged into the matrices, or as tensors of their own. */
      saved: choice(["merged", "apart"], {
        help: "as new weights, or as tensors of their own",
        default: "merged",
        flag: "save-adapter",
      }),
    },
    { help: "train low-rank additions to stored matrices alone" },
  ),
  batchNorm: batchNormOption,
};

/** Examples that are not trained on. */
const heldExamples = { expected: "a dataset's examples, or { inputs, labels }", accepts: isObject };

/** What is done with the gradient, for how long, and on which examples. */
const courseOptions = {
  /** Default: derived from the estimator and what it measures of its noise, see `defaultLearningRate`. */
  learningRate: number(
    { above: 0 },
    {
      help: "learning rate",
      otherwise: "derived from optimizer, estimator, n and k",
      flag: "lr",
      // An option once, which measured no better than the default.
      advise: (given) =>
        given === "auto"
          ? words` Leave it out: the default follows the measured noise. \`forwardgrad search\` finds a rate by trying.`
          : undefined,
    },
  ),
  /** How the learning rate changes over the run, by name or with options of its own. Default cosine. */
  schedule: scheduleSetting,
  /** The rule that moves the parameters, by name or with options of its own. Default sgd. */
  optimizer: optimizerSetting,
  /** Longest gradient over all parameters; longer ones are shortened to it. Default: none is. */
  clip: number({ above: 0 }, { help: "longest gradient", otherwise: "any" }),
  /**
   * Ends the run after so many epochs without a better validation loss, or `{ epochs, on }` without a better metric, and keeps the
   * parameters of the best one; or, with `{ minutes }`, when its time is over. Default: the run goes to its end and keeps the last.
   */
  patience: patienceOption,
  /** Compares the gradient with the exact one. The run computes the same with and without. Default: it does not. */
  quality: group(
    "quality",
    {
      /** On every so manieth step, for the metrics and the progress: bias², variance and cosine. */
      every: whole(1, {
        help: "compare with the exact gradient every n steps, for the metrics",
        flag: "track-quality",
        was: ["trackQuality"],
      }),
      /** Over so many draws of the tangents, at the end, and on those steps, there at least two. Default 0: none at the end. */
      draws: whole(0, { help: "draws of the tangents", flag: false, default: 0, was: ["qualityDraws"] }),
    },
    { help: "compares the gradient with the exact one" },
  ),
  /** Examples of a step, or `{ size, accumulate }`. Default 64. */
  batch: batchOption,
  /** Passes over the training examples. Default 1, or as many as `steps` needs. */
  epochs: number(
    { above: 0 },
    { help: "passes over the training set", otherwise: "1, or as many as the steps need" },
  ),
  /** Ends the run after so many steps, whatever `epochs` says. */
  steps: whole(0, { help: "end after so many steps" }),
  /** Decides initialization, order and tangents. Default 0. */
  seed: whole(0, { help: "decides initialization, order and tangents", default: 0 }),
  /** How many examples are split off for validation, or examples of its own, as `examples`. Default 5,000, at most a tenth. */
  validation: either(
    whole(0, { help: "examples set aside for validation", otherwise: "5,000, at most a tenth" }),
    heldExamples,
  ) as Option<number | Examples | ExampleArrays, undefined>,
  /** Random changes of the training images; validation and test examples stay as they are. Default: none. */
  augment: group(
    "augment",
    {
      /** Pads each side with so many black pixels (zeros) and cuts the original size out at a random place. */
      crop: whole(0, { help: "pixels of padding", flag: false }),
      /** Mirrors every other image, left to right. */
      flip: toggle({ help: "mirror every other image", flag: false }),
    },
    { help: "change training images at random: crop:4 (padding), flip, or crop:4,flip" },
  ),
  /** The run stops when a loss exceeds this many times the first one. Default 100. */
  divergenceFactor: number(
    { above: 0 },
    { help: "stop where a loss exceeds so many times the first one", default: 100 },
  ),
};

/** Where a run is kept, and how it goes on. */
const storeOptions = {
  /** Keeps configuration, metrics, checkpoints and the trained model; default: nothing is kept. */
  store: value<RunStore>(
    "a store, such as runFolder(path) of forwardgrad/node makes",
    (given) =>
      isObject(given) && ["read", "write", "append", "truncate"].every((part) => isFunction(given[part])),
    { help: "where the run is kept", flag: false, exempt: "a run may be moved" },
  ),
  /** Goes on from the store's checkpoint where there is one. */
  resume: toggle({
    help: "go on with the run that is there, or start it",
    exempt: "it says how the store is taken",
  }),
  /** Starts anew in a store that holds a run, or files of the names of a run's: these are removed first. Not with `resume`. */
  overwrite: toggle({
    help: "start anew, and remove the run that is there",
    exempt: "it says how the store is taken",
  }),
  /** Lets a resumed run change device, threads, chunk and runtime version, and go on without metrics that were lost. */
  allowChanges: toggle({
    help: "go on with another device, number of threads, chunk or runtime version, and without lost metrics",
    exempt: "it says how the store is taken",
  }),
  /** Ends the run after the current step, with a checkpoint. */
  signal: value<AbortSignal>(
    "an AbortSignal",
    (given) => isObject(given) && typeof given.aborted === "boolean",
    { help: "ends the run after the current step", flag: false, exempt: "a run may be stopped at any time" },
  ),
  /** Seconds between checkpoints; one more is written after each epoch. Default 10. */
  checkpointSeconds: number(
    { from: 0 },
    { help: "time between checkpoints", default: 10, exempt: "the steps are the same" },
  ),
};

/** What a run is made of. */
const neededOptions = {
  model: modelOption,
  /**
   * Training examples, of which a validation part is split off: a dataset's, or plain arrays, { inputs, labels }, in the
   * shape of the model's input; or a stream of examples, { stream, count, buffer }, of which none is split off.
   */
  examples: value<Examples | ExampleArrays | ExampleStream>(
    "a dataset's examples, { inputs, labels }, or { stream }",
    (given) => isObject(given),
    { help: "training examples", flag: false, was: ["inputs", "labels"] },
  ),
  runtime: runtimeOption,
};

/** Everything that decides what a run computes. */
export const settingOptions = {
  ...estimatorOptions,
  ...modelOptions,
  ...courseOptions,
};

/** All options of `train`. */
export const trainOptions = {
  ...settingOptions,
  ...neededOptions,
  /** Test examples, used once, at the end; as `examples`. */
  test: value<Examples | ExampleArrays>(heldExamples.expected, heldExamples.accepts, {
    help: "test examples",
    flag: false,
  }),
  ...storeOptions,
};

/** Everything that decides what a run computes. */
export interface TrainSettings extends Given<typeof settingOptions> {}

/** What `train` is asked for. */
export interface TrainOptions extends Given<Omit<typeof trainOptions, keyof typeof neededOptions>> {
  /** An ONNX file's bytes, a decoded model, or a graph from the builder. */
  readonly model: Uint8Array | Model | Graph;
  /**
   * Training examples, of which a validation part is split off: a dataset's, or plain arrays, { inputs, labels }; or a stream,
   * { stream, count, buffer }, which need not fit into memory, and of which none is split off.
   */
  readonly examples: Examples | ExampleArrays | ExampleStream;
  /** Runs the graphs. */
  readonly runtime: Runtime;
}
