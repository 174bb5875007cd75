/** Reads the batch of each step into buffers that the graphs read. */
import { epochOrder, readBatch, splitValidation } from "../data/batches.ts";
import type { Examples } from "../data/dataset.ts";
import type { Augmentation } from "../data/pictures/augment.ts";
import { DataError, SettingError } from "../errors/errors.ts";
import { option as mention, words } from "../errors/words.ts";
import { drawMasks, maskTensors } from "../objective/dropout.ts";
import { batchInputs, exampleInput, type InputChoice } from "../objective/model-inputs.ts";
import type { Objective } from "../objective/objective.ts";
import { targetBuffer } from "../objective/targets.ts";
import { getValue } from "../onnx/graph.ts";
import { streamKey } from "../random/streams.ts";
import { fold, type Key } from "../random/threefry.ts";
import type { Tensors } from "../runtime/runtime.ts";
import { validationCount } from "./batch-size.ts";
import type { RunOptions } from "./settings/run-settings.ts";

/** The batches of a run, in an order that follows from its keys alone. */
export interface BatchReader {
  /** Indices of the examples that are trained on, and of those set aside, or of the validation examples of the run's own. */
  readonly split: { readonly train: Uint32Array; readonly validation: Uint32Array };
  readonly stepsPerEpoch: number;
  /** The parameters and the batch that was read last, by input name. */
  readonly feeds: Tensors;
  /** Reads the batch of a step, counted from 0. */
  read(step: number): void;
  /** Reads the first batch of the training part, in the order of the split. */
  readFirst(): void;
}

export interface BatchReaderOptions extends InputChoice {
  readonly examples: Examples;
  /** How many examples are set aside for validation, or such of its own. Default 5,000, at most a tenth. */
  readonly validation?: number | Examples;
  readonly splitKey: Key;
  readonly orderKey: Key;
  /** Changes training inputs at random. Default: none. */
  readonly augment?: Augmentation;
  readonly augmentationKey: Key;
  readonly dropoutKey: Key;
}

/** The batches of a training run, which follow from its seed. @throws as `createBatchReader` */
export function batchesOf(objective: Objective, options: RunOptions): BatchReader {
  const { examples, validation, augment, input, fill, dimensions, seed } = options;
  return createBatchReader(objective, {
    ...{ examples, validation, augment, input, fill, dimensions },
    splitKey: streamKey(seed, "split"),
    orderKey: streamKey(seed, "order"),
    augmentationKey: streamKey(seed, "augmentation"),
    dropoutKey: streamKey(seed, "dropout"),
  });
}

/** @throws when not even one batch is left to train on */
export function createBatchReader(objective: Objective, options: BatchReaderOptions): BatchReader {
  const { examples, splitKey, orderKey, augment, augmentationKey } = options;
  const { batch } = objective;
  const validation = validationCount(examples, options.validation);
  const split = splitValidation(examples.count, validation, splitKey);
  if (typeof options.validation === "object") split.validation = allOf(options.validation);
  const stepsPerEpoch = Math.floor(split.train.length / batch);
  if (stepsPerEpoch === 0) {
    throw new DataError(
      `The training set has ${split.train.length} examples after ${validation} were split off for validation, fewer ` +
        `than one batch of ${batch}; use a smaller batch (where the model's file fixes it, export the model with an open ` +
        "batch axis), a smaller validation part, or more data.",
    );
  }
  const input = exampleInput(objective.model, examples, options);
  const inputs = batchInputs(objective.trained, input, batch, options.fill);
  const labels = targetBuffer(getValue(objective.graph, objective.target));
  const { masks = [] } = objective;
  const maskFeeds = maskTensors(masks);
  let order: { readonly epoch: number; readonly indices: Uint32Array } | undefined;
  return {
    split,
    stepsPerEpoch,
    feeds: {
      ...objective.parameters,
      ...objective.statistics,
      ...maskFeeds,
      // Filled inputs are constants of the graph.
      ...inputs.fed,
      [objective.target]: labels,
    },
    read(step) {
      const epoch = Math.floor(step / stepsPerEpoch);
      if (order?.epoch !== epoch) order = { epoch, indices: epochOrder(split.train, orderKey, epoch) };
      const start = (step % stepsPerEpoch) * batch;
      const changes = augment && { steps: augment, key: fold(augmentationKey, epoch) };
      readBatch(examples, order.indices, start, batch, inputs.values, labels.data, changes);
      inputs.written(examples, order.indices.subarray(start, start + batch));
      drawMasks(masks, maskFeeds, fold(options.dropoutKey, step));
    },
    readFirst() {
      readBatch(examples, split.train, 0, batch, inputs.values, labels.data);
      inputs.written(examples, split.train.subarray(0, batch));
    },
  };
}

/** The indices of all examples. */
export function allOf({ count }: Examples): Uint32Array {
  return Uint32Array.from({ length: count }, (_, index) => index);
}

/** @throws SettingError when a setting follows the validation loss and there are no validation examples. */
export function requireValidation(
  { patience, schedule }: Pick<RunOptions, "patience" | "schedule">,
  examples: number,
): void {
  const option = patience !== undefined ? "patience" : schedule.plateau ? "schedule" : undefined;
  if (option === undefined || examples > 0) return;
  const follower =
    option === "schedule" ? words`${mention("schedule", schedule.name)}` : words`${mention(option)}`;
  throw new SettingError(
    words`${follower} follows the validation loss, and no examples are set aside for validation; set ${mention("validation")}
      above 0, or give more data.`,
    { option },
  );
}
