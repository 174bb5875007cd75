/** Reads the batch of each step into buffers that the graphs read. */
import { epochOrder, readInputs, readLabels, splitValidation } from "../../data/batches.ts";
import type { Examples } from "../../data/dataset.ts";
import type { Augmentation } from "../../data/pictures/augment.ts";
import { batchInputs, checkedInput, type InputChoice } from "../../objective/model-inputs.ts";
import type { Objective } from "../../objective/objective.ts";
import { checkLabels, lossInputs, targetBuffer } from "../../objective/targets.ts";
import { getValue } from "../../onnx/graph.ts";
import { streamKey } from "../../random/streams.ts";
import { fold, type Key } from "../../random/threefry.ts";
import type { Tensors } from "../../runtime/runtime.ts";
import type { RunOptions } from "../settings/run-settings.ts";
import { validationCount } from "./batch-size.ts";
import type { OpenStream } from "./open-stream.ts";
import type { StreamPosition } from "./streamed-batches.ts";

/** The batches of a run, in an order that follows from its keys alone. */
export interface BatchReader {
  /** Indices of the examples that are trained on, and of those set aside, or of the validation examples of the run's own. */
  readonly split: { readonly train: Uint32Array; readonly validation: Uint32Array };
  readonly stepsPerEpoch: number;
  /** The parameters and the batch that was read last, by input name. */
  readonly feeds: Tensors;
  /** In how many parts the batch that was read last comes. */
  readonly parts: number;
  /**
   * Reads the batch of a step, counted from 0, or its first part.
   *
   * @param before of a stream: what had been read before that step, where the run knows it
   * @returns of a stream: what is read now
   */
  read(step: number, before?: StreamPosition): Promise<StreamPosition | undefined>;
  /** Reads another part of the same batch. */
  readPart(part: number): void;
  /** Reads the first batch of the training part, in the order of the split. */
  readFirst(): void;
  release(): Promise<void>;
}

export interface BatchReaderOptions extends InputChoice {
  readonly examples: Examples;
  /** Where the examples come from, of which `examples` are then the first. Default: they are all of them. */
  readonly stream?: OpenStream | undefined;
  /** How many examples are set aside for validation, or such of its own. Default 5,000, at most a tenth. */
  readonly validation?: number | Examples;
  readonly splitKey: Key;
  readonly orderKey: Key;
  /** Changes training inputs at random. Default: none. */
  readonly augment?: Augmentation;
  readonly augmentationKey: Key;
  readonly dropoutKey: Key;
  /** In how many parts a step's examples are read, each of the objective's batch. Default 1. */
  readonly accumulate?: number;
  /** Which examples an epoch visits, and in which order. Default: each once. */
  readonly order?: typeof epochOrder;
}

/** The batches of a training run, which follow from its seed. @throws as `createBatchReader` */
export async function batchesOf(objective: Objective, options: RunOptions): Promise<BatchReader> {
  const { examples, stream, validation, augment, input, fill, dimensions, seed, accumulate, sampling } =
    options;
  return createBatchReader(objective, {
    ...{ examples, stream, validation, augment, input, fill, dimensions, accumulate },
    order:
      sampling && (await import("./weighted-order.ts")).weightedOrder(examples, sampling, objective.model),
    splitKey: streamKey(seed, "split"),
    orderKey: streamKey(seed, "order"),
    augmentationKey: streamKey(seed, "augmentation"),
    dropoutKey: streamKey(seed, "dropout"),
  });
}

/** @throws when not even one batch is left to train on */
export async function createBatchReader(
  objective: Objective,
  options: BatchReaderOptions,
): Promise<BatchReader> {
  const { examples, splitKey, orderKey, augment, augmentationKey, accumulate = 1 } = options;
  const { order: orderOf = epochOrder } = options;
  const { batch } = objective;
  const validation = validationCount(examples, options.validation);
  const split = splitValidation(examples.count, validation, splitKey);
  if (typeof options.validation === "object") split.validation = allOf(options.validation);
  const size = batch * accumulate;
  const count = options.stream?.count ?? split.train.length;
  const stepsPerEpoch = Math.floor(count / size);
  if (stepsPerEpoch === 0) throw (await import("./batch-words.ts")).tooFew(count, validation, size);
  const streamed =
    options.stream &&
    (await import("./streamed-batches.ts")).streamedBatches(options.stream, {
      ...{ size, stepsPerPass: stepsPerEpoch, key: orderKey },
      check: (read) => checkLabels(lossInputs(objective), read, "the training data"),
    });
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
  const readExamples = (
    from: Examples,
    indices: Uint32Array,
    change?: (own: Float32Array, example: number) => void,
  ) => {
    readInputs(from, indices, inputs.values);
    readLabels(from, indices, labels.data);
    if (change) {
      const each = inputs.values.length / batch;
      for (const [row, index] of indices.entries()) {
        const example = streamed ? (from.origin?.[index] as number) : index;
        change(inputs.values.subarray(row * each, (row + 1) * each), example);
      }
    }
    inputs.written(from, indices);
  };
  let now = 0;
  const readPart = (part: number) => {
    const epoch = Math.floor(now / stepsPerEpoch);
    const changes = fold(augmentationKey, epoch);
    // A stream holds the examples of one step.
    const first = streamed ? 0 : (now % stepsPerEpoch) * accumulate;
    if (order?.epoch !== epoch)
      order = { epoch, indices: streamed ? allOf({ count: size }) : orderOf(split.train, orderKey, epoch) };
    const start = (first + part) * batch;
    readExamples(streamed?.batch ?? examples, order.indices.subarray(start, start + batch), (own, example) =>
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
    async read(step, before) {
      const position = await streamed?.read(step, before);
      now = step;
      reader.parts = accumulate;
      readPart(0);
      return position;
    },
    readPart,
    readFirst() {
      reader.parts = 1;
      if (streamed) readExamples(streamed.beginning, allOf({ count: batch }));
      else readExamples(examples, split.train.subarray(0, batch));
    },
    async release() {
      await streamed?.release();
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
