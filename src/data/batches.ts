/** From examples to batches: which ones are set aside, in which order an epoch visits them, and their numbers in arrays. */
import { isArrayOf } from "../arrays/kind.ts";
import { SettingError } from "../errors/errors.ts";
import { permutation } from "../random/permutation.ts";
import { fold, type Key } from "../random/threefry.ts";
import { type Examples, exampleSize } from "./dataset.ts";

/**
 * Sets examples aside for validation, by a seeded permutation of 0 … count − 1.
 * @returns the indices of both parts; together they hold every index once.
 * @throws when validationCount is not in [0, count).
 */
export function splitValidation(
  count: number,
  validationCount: number,
  key: Key,
): { train: Uint32Array; validation: Uint32Array } {
  if (!Number.isInteger(validationCount) || validationCount < 0 || validationCount >= count) {
    throw new SettingError(
      `splitValidation: ${validationCount} validation examples asked of ${count}, expected a whole number ` +
        `from 0 to ${count - 1}, so that some are left to train on; ask for fewer`,
      { option: "validationCount" },
    );
  }
  const order = permutation(key, count);
  return { train: order.slice(validationCount), validation: order.slice(0, validationCount) };
}

/** The order in which an epoch visits `indices`: a pure function of the key and the epoch. */
export function epochOrder(indices: Uint32Array, key: Key, epoch: number): Uint32Array {
  const order = permutation(fold(key, epoch), indices.length);
  return order.map((position) => indices[position] as number);
}

/** Copies the inputs of the examples `indices` into an array of that size, [indices, ...shape], as `readBatch`. */
export function readInputs(
  examples: Omit<Examples, "labels">,
  indices: Uint32Array,
  inputs: Float32Array,
): void {
  const inputSize = exampleSize(examples);
  const scale = isArrayOf("Uint8Array", examples.inputs) ? 255 : 1;
  for (const [row, example] of indices.entries()) {
    for (let i = 0; i < inputSize; i++) {
      inputs[row * inputSize + i] = (examples.inputs[example * inputSize + i] as number) / scale;
    }
  }
}

/** As `readBatch`, the labels or targets alone. */
export function readLabels(
  examples: Examples,
  indices: Uint32Array,
  labels: BigInt64Array | Float32Array,
): void {
  const labelSize = examples.labels.length / examples.count;
  for (const [row, example] of indices.entries()) {
    for (let i = 0; i < labelSize; i++) {
      const label = examples.labels[example * labelSize + i] as number;
      if (isArrayOf("BigInt64Array", labels)) labels[row * labelSize + i] = BigInt(label);
      else labels[row * labelSize + i] = label;
    }
  }
}
