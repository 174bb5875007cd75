/** The order of an epoch in which classes come as often as is asked for, whatever their number. */
import { isArrayOf } from "../../arrays/kind.ts";
import { type Examples, IGNORED_LABEL } from "../../data/dataset.ts";
import { SettingError } from "../../errors/errors.ts";
import { option as mention, words } from "../../errors/words.ts";
import { classNumber } from "../../objective/class-weights.ts";
import { knownData } from "../../objective/model-data.ts";
import type { Model } from "../../onnx/read-model.ts";
import { fold, type Key } from "../../random/threefry.ts";
import { uniform64 } from "../../random/uniform.ts";

/** Draws an epoch: as many examples as `indices` are, with replacement, as a function of key and epoch. */
export type WeightedOrder = (indices: Uint32Array, key: Key, epoch: number) => Uint32Array;

/**
 * Examples are drawn in proportion to their class's number; balanced: to 1 / N_c, with N_c of the labels to train on, so that all
 * classes come equally often. Of examples with several labels, such as words, to the mean of what their labels say.
 *
 * @param sampling numbers by the classes' names, or class numbers where they have none; 1 for all others
 * @throws SettingError where labels are no classes, or a name is none
 */
export function weightedOrder(
  { labels, count }: Examples,
  sampling: "balanced" | Readonly<Record<string, number>>,
  model: Model,
): WeightedOrder {
  // Floats are classes where they are the two of binary cross-entropy, and values to predict otherwise.
  const areClasses = isArrayOf("Int32Array", labels) || labels.every((label) => label === 0 || label === 1);
  if (!areClasses)
    throw new SettingError(
      words`${mention("batch.sampling")} draws examples by their class, and the data have other numbers to predict; leave it out.`,
      { option: "batch.sampling" },
    );
  const names = knownData(model).classNames;
  const given = sampling === "balanced" ? undefined : named(sampling, names);
  return (indices, key, epoch) => {
    const each = labels.length / count;
    const weightOf = given ?? inverse(labels, indices, each);
    let sum = 0;
    const ends = Float64Array.from(
      indices,
      (index) => (sum += meanWeight(labels, index * each, each, weightOf)),
    );
    if (!(sum > 0))
      throw new SettingError(
        words`${mention("batch.sampling")} leaves no example to train on; give a class that is there more than 0.`,
        {
          option: "batch.sampling",
        },
      );
    const drawn = uniform64(fold(key, epoch), indices.length);
    return Uint32Array.from(drawn, (share) => indices[firstAbove(ends, share * sum)] as number);
  };
}

/** The mean over the labels of an example that count, or of what does not count where none does. */
function meanWeight(
  labels: Examples["labels"],
  start: number,
  each: number,
  weightOf: (label: number) => number,
): number {
  let [sum, counted] = [0, 0];
  for (let at = start; at < start + each; at++) {
    if (labels[at] === IGNORED_LABEL) continue;
    sum += weightOf(labels[at] as number);
    counted++;
  }
  return counted === 0 ? weightOf(IGNORED_LABEL) : sum / counted;
}

/** Labels that do not count are drawn as often as a class's. */
function inverse(labels: Examples["labels"], indices: Uint32Array, each: number): (label: number) => number {
  const counts = new Map<number, number>();
  for (const index of indices)
    for (let at = index * each; at < (index + 1) * each; at++) {
      const label = labels[at] ?? IGNORED_LABEL;
      counts.set(label, (counts.get(label) ?? 0) + 1);
    }
  return (label) => 1 / (counts.get(label) ?? 1);
}

function named(sampling: Readonly<Record<string, number>>, classNames: readonly string[] = []) {
  const weights = new Map(
    Object.entries(sampling).map(([name, weight]) => [
      classNumber(name, classNames, "batch.sampling"),
      weight,
    ]),
  );
  return (label: number) => weights.get(label) ?? 1;
}

/** The first of rising numbers that is above a value. */
function firstAbove(ends: Float64Array, value: number): number {
  let [low, high] = [0, ends.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ends[middle] as number) > value) high = middle;
    else low = middle + 1;
  }
  return low;
}
