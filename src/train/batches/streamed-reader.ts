/** Reads the batch of each step of a stream: its examples are those of one step, in their order. */
import type { Examples } from "../../data/dataset.ts";
import { DataError } from "../../errors/errors.ts";
import type { Objective } from "../../objective/objective.ts";
import type { BatchReader, BatchReaderOptions } from "./batch-reading.ts";
import type { OpenStream } from "./open-stream.ts";
import { streamedBatches } from "./streamed-batches.ts";

/** Makes a reader of arrays. */
export type CreateReader = (objective: Objective, options: BatchReaderOptions) => Promise<BatchReader>;

/** @throws DataError when not even one batch is in a pass */
export async function streamedReader(
  objective: Objective,
  stream: OpenStream,
  options: BatchReaderOptions,
  createBatchReader: CreateReader,
  check: (batch: Examples) => void,
): Promise<BatchReader> {
  const { accumulate = 1, validation, orderKey } = options;
  const size = objective.batch * accumulate;
  const stepsPerEpoch = Math.floor(stream.count / size);
  if (stepsPerEpoch === 0)
    throw new DataError(
      `The stream has ${stream.count} examples, fewer than a batch of ${size}; use a smaller batch, or give more.`,
    );
  const streamed = streamedBatches(stream, {
    ...{ size, stepsPerPass: stepsPerEpoch, key: orderKey },
    check,
  });
  const own = typeof validation === "object" ? validation : 0;
  // What an epoch is to arrays is a step here.
  const step = await createBatchReader(objective, {
    ...options,
    ...{ examples: streamed.batch, validation: own, order: (indices) => indices.toSorted() },
  });
  return {
    ...step,
    get parts() {
      return step.parts;
    },
    stepsPerEpoch,
    async read(number, before) {
      const position = await streamed.read(number, before);
      await step.read(number);
      return position;
    },
    readFirst() {
      streamed.begin();
      step.readFirst();
    },
    release: () => streamed.release(),
  };
}
