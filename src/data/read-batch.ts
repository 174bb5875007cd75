/** Batches for loops of one's own: examples by their indices, changed at random where that is asked for. */
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
