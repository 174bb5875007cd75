/** Batches for loops of one's own: examples by their indices, changed at random where that is asked for. */
import { isArrayOf } from "../arrays/kind.ts";
import { SettingError } from "../errors/errors.ts";
import type { Key } from "../random/threefry.ts";
import { readInputs, readLabels } from "./batches.ts";
import { type Examples, exampleSize } from "./dataset.ts";
import { type Augmentation, augment } from "./pictures/augment.ts";

/**
 * Copies the examples `indices[start] … indices[start + size − 1]` into arrays the caller owns.
 * @param inputs [size, ...shape]; byte pixels arrive divided by 255.
 * @param labels [size] class indices (BigInt64Array), or [size, ...targetShape] targets (Float32Array).
 * @param augmentation changes the inputs at random: the same for the same key (of an epoch) and example.
 * @throws when the range leaves `indices`, an index leaves the examples, or an array has the wrong length or type.
 */
export function readBatch(
  examples: Examples,
  indices: Uint32Array,
  start: number,
  size: number,
  inputs: Float32Array,
  labels: BigInt64Array | Float32Array,
  augmentation?: { readonly steps: Augmentation; readonly key: Key },
): void {
  const chosen = chosenIndices(examples, indices, start, size);
  checkBatchLength("inputs", inputs.length, size, exampleSize(examples));
  checkLabelType(examples, labels);
  checkBatchLength("labels", labels.length, size, examples.labels.length / examples.count);
  readInputs(examples, chosen, inputs);
  readLabels(examples, chosen, labels);
  if (!augmentation) return;
  const each = exampleSize(examples);
  for (const [row, example] of chosen.entries()) {
    const own = inputs.subarray(row * each, (row + 1) * each);
    augment(own, examples.shape, augmentation.steps, augmentation.key, example);
  }
}

function chosenIndices(examples: Examples, indices: Uint32Array, start: number, size: number): Uint32Array {
  if (start < 0 || size < 0 || start + size > indices.length) {
    throw new SettingError(
      `readBatch: examples ${start} to ${start + size - 1} asked of ${indices.length} indices; ` +
        "make the last batch smaller or leave it out",
      { option: "size" },
    );
  }
  const chosen = indices.subarray(start, start + size);
  const wrong = chosen.findIndex((example) => example >= examples.count);
  if (wrong === -1) return chosen;
  throw new SettingError(
    `readBatch: index ${chosen[wrong]} at position ${start + wrong}, expected 0 to ${examples.count - 1}; ` +
      "use the indices of this split",
    { option: "indices" },
  );
}

function checkBatchLength(what: string, received: number, size: number, each: number): void {
  if (received === size * each) return;
  throw new SettingError(
    `readBatch: ${what} array has ${received} numbers, expected ${size * each} ` +
      `(${size} examples of ${each}); allocate it for this batch size`,
    { option: what },
  );
}

function checkLabelType(examples: Examples, labels: BigInt64Array | Float32Array): void {
  const classes = isArrayOf("Int32Array", examples.labels);
  if (classes === isArrayOf("BigInt64Array", labels)) return;
  throw new SettingError(
    classes
      ? "readBatch: the examples have class labels, received a Float32Array for them; pass a BigInt64Array"
      : "readBatch: the examples have target values, received a BigInt64Array for them; pass a Float32Array",
    { option: "labels" },
  );
}
