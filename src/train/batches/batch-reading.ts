/** What reads the batches of a run, and how. */
import type { epochOrder, splitValidation } from "../../data/batches.ts";
import type { Examples } from "../../data/dataset.ts";
import type { Augmentation } from "../../data/pictures/augment.ts";
import type { InputChoice } from "../../objective/model-inputs.ts";
import type { Key } from "../../random/threefry.ts";
import type { Tensors } from "../../runtime/runtime.ts";

/** What was read of a pass of a stream, as checkpoints hold it. */
export interface StreamPosition {
  readonly pass: number;
  /** Examples that were read of it. */
  readonly read: number;
  /** Their CRC-32. */
  readonly sum: number;
}

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
  release?(): Promise<void>;
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
  /** In how many parts a step's examples are read, each of the objective's batch. Default 1. */
  readonly accumulate?: number;
  /** Which examples an epoch visits, and in which order. Default: each once. */
  readonly order?: typeof epochOrder;
  /** Sets examples aside for validation. Default: each on its own. */
  readonly split?: typeof splitValidation;
}
