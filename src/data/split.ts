/** Sets examples aside, and takes some of them. */
import { isArrayOf } from "../arrays/kind.ts";
import { DataError } from "../errors/errors.ts";
import { permutation } from "../random/permutation.ts";
import { keyFromSeed } from "../random/threefry.ts";
import { type Examples, exampleSize } from "./dataset.ts";
import { takeFurther } from "./further-inputs.ts";

/** The share of examples set aside for testing where the data has no test part. */
export const defaultTestFraction = 0.2;

/**
 * Sets examples aside for testing: the same ones for the same count and fraction, whatever the seed of a run, so that a
 * trained model meets the same test examples again.
 * @param fraction above 0; 1 makes all of them test examples.
 * @param source the data's name, for messages.
 * @throws when a part that must not be empty would be.
 */
export function splitTest(
  examples: Examples,
  fraction: number,
  source: string,
): { train: Examples; test: Examples } {
  const { train, test } = splitForTest(examples.count, fraction, source);
  return { train: takeExamples(examples, train), test: takeExamples(examples, test) };
}

/** Which of `count` examples are for training and which for testing, as `splitTest`, each in order. @throws as that */
export function splitForTest(
  count: number,
  fraction: number,
  source: string,
): { train: Uint32Array; test: Uint32Array } {
  if (count < 2 && fraction < 1) {
    throw new DataError(
      `${source}: ${count} examples, expected at least 2, one to train and one to test on; add examples, or a test ` +
        "part of its own",
      { source },
    );
  }
  const testCount = fraction >= 1 ? count : Math.min(count - 1, Math.max(1, Math.round(fraction * count)));
  const order = permutation(keyFromSeed(0), count);
  return { train: order.slice(testCount).sort(), test: order.slice(0, testCount).sort() };
}

/** The examples of groups of `each`, which lie one behind the other. */
export function membersOf(groups: Uint32Array, each: number): Uint32Array {
  return Uint32Array.from(
    { length: groups.length * each },
    (_, at) => (groups[Math.floor(at / each)] as number) * each + (at % each),
  );
}

/** The examples of these indices, copied. */
export function takeExamples(examples: Examples, indices: Uint32Array): Examples {
  const size = exampleSize(examples);
  const labelSize = examples.count === 0 ? 1 : examples.labels.length / examples.count;
  const inputs = isArrayOf("Uint8Array", examples.inputs)
    ? new Uint8Array(indices.length * size)
    : new Float32Array(indices.length * size);
  const labels = isArrayOf("Int32Array", examples.labels)
    ? new Int32Array(indices.length * labelSize)
    : new Float32Array(indices.length * labelSize);
  indices.forEach((index, position) => {
    inputs.set(examples.inputs.subarray(index * size, (index + 1) * size), position * size);
    labels.set(examples.labels.subarray(index * labelSize, (index + 1) * labelSize), position * labelSize);
  });
  const origin = indices.map((index) => examples.origin?.[index] ?? index);
  const further = examples.furtherInputs && { furtherInputs: takeFurther(examples.furtherInputs, indices) };
  return { ...examples, count: indices.length, inputs, ...further, labels, origin };
}
