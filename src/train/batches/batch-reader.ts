/** Reads the batch of each step into buffers that the graphs read. */
import { epochOrder, readInputs, readLabels, splitValidation } from "../../data/batches.ts";
import type { Examples } from "../../data/dataset.ts";
import { batchInputs, checkedInput } from "../../objective/model-inputs.ts";
import type { Objective } from "../../objective/objective.ts";
import { checkLabels, lossInputs, targetBuffer } from "../../objective/targets.ts";
import { getValue } from "../../onnx/graph.ts";
import { streamKey } from "../../random/streams.ts";
import { fold } from "../../random/threefry.ts";
import type { RunOptions } from "../settings/run-settings.ts";
import type { BatchReader, BatchReaderOptions } from "./batch-reading.ts";
import { validationCount } from "./batch-size.ts";

/** The batches of a training run, which follow from its seed. @throws as `createBatchReader` */
export async function batchesOf(objective: Objective, options: RunOptions): Promise<BatchReader> {
  const { examples, validation, augment, input, fill, dimensions, seed, accumulate, sampling, loss } =
    options;
  const reading: BatchReaderOptions = {
    ...{ examples, validation, augment, input, fill, dimensions, accumulate },
    splitKey: streamKey(seed, "split"),
    orderKey: streamKey(seed, "order"),
    augmentationKey: streamKey(seed, "augmentation"),
    dropoutKey: streamKey(seed, "dropout"),
    // Loaded where examples are not shuffled one by one.
    ...((sampling || loss.together) &&
      (await import("./other-orders.ts")).otherOrder(options, objective.model)),
  };
  const { stream } = options;
  if (!stream) return createBatchReader(objective, reading);
  return stream.reader(objective, reading, createBatchReader, (batch) =>
    checkLabels(lossInputs(objective), batch, "the training data"),
  );
}

/** @throws when not even one batch is left to train on */
export async function createBatchReader(
  objective: Objective,
  options: BatchReaderOptions,
): Promise<BatchReader> {
  const { examples, splitKey, orderKey, augment, augmentationKey, accumulate = 1 } = options;
  const { order: orderOf = epochOrder, split: splitOf = splitValidation } = options;
  const { batch } = objective;
  const validation = validationCount(examples, options.validation);
  const split = splitOf(examples.count, validation, splitKey);
  if (typeof options.validation === "object") split.validation = allOf(options.validation);
  const stepsPerEpoch = Math.floor(split.train.length / (batch * accumulate));
  if (stepsPerEpoch === 0)
    throw (await import("./batch-words.ts")).tooFew(split.train.length, validation, batch * accumulate);
  const input = await checkedInput(objective.model, examples, options);
  const inputs = batchInputs(objective.trained, input, batch, options.fill);
  const labels = targetBuffer(getValue(objective.graph, objective.target));
  const { masks = [] } = objective;
  const dropout = masks.length > 0 ? await import("../../objective/dropout.ts") : undefined;
  const maskFeeds = dropout?.maskTensors(masks) ?? {};
  let order: { readonly epoch: number; readonly indices: Uint32Array } | undefined;
  // Loaded where pictures are changed.
  const pictures = augment && (await import("../../data/pictures/augment.ts"));
  pictures?.checkAugmentation(augment ?? {}, examples.shape);
  const readExamples = (indices: Uint32Array, change?: (own: Float32Array, example: number) => void) => {
    readInputs(examples, indices, inputs.values);
    readLabels(examples, indices, labels.data);
    if (change) {
      const each = inputs.values.length / batch;
      for (const [row, example] of indices.entries())
        change(inputs.values.subarray(row * each, (row + 1) * each), example);
    }
    inputs.written(examples, indices);
  };
  let now = 0;
  const readPart = (part: number) => {
    const epoch = Math.floor(now / stepsPerEpoch);
    if (order?.epoch !== epoch) order = { epoch, indices: orderOf(split.train, orderKey, epoch) };
    const changes = fold(augmentationKey, epoch);
    const start = ((now % stepsPerEpoch) * accumulate + part) * batch;
    readExamples(order.indices.subarray(start, start + batch), (own, example) =>
      pictures?.augment(own, examples.shape, augment ?? {}, changes, example),
    );
    // Of several parts, each has masks of its own.
    dropout?.drawMasks(masks, maskFeeds, fold(options.dropoutKey, now * accumulate + part));
  };
  const reader: BatchReader & { parts: number } = {
    parts: accumulate,
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
    async read(step) {
      now = step;
      reader.parts = accumulate;
      readPart(0);
      return undefined;
    },
    readPart,
    readFirst() {
      reader.parts = 1;
      readExamples(split.train.subarray(0, batch));
    },
  };
  return reader;
}

/** The indices of all examples. */
export function allOf({ count }: Pick<Examples, "count">): Uint32Array {
  return Uint32Array.from({ length: count }, (_, index) => index);
}

/** @throws SettingError when a setting follows the validation loss and there are no validation examples. */
export async function requireValidation(
  options: Pick<RunOptions, "patience" | "schedule">,
  examples: number,
): Promise<void> {
  if (examples === 0 && (options.patience || options.schedule.plateau))
    throw (await import("./batch-words.ts")).noValidation(options);
}
