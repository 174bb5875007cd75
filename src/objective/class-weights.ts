/** Class weights that follow from data: by the classes' names, or balanced. */
import { isArrayOf } from "../arrays/kind.ts";
import { classCounts } from "../data/class-counts.ts";
import type { Examples } from "../data/dataset.ts";
import { SettingError } from "../errors/errors.ts";
import { option as mention, words } from "../errors/words.ts";
import type { Loss } from "../losses/loss.ts";
import type { Model } from "../onnx/read-model.ts";
import { nearest } from "../settings/nearest.ts";
import { knownData } from "./model-data.ts";

/** Whether a loss waits for data to know how much its classes weigh. */
function waitsForClasses({ config = {} }: Pick<Loss, "config">): boolean {
  const { classWeights } = config;
  return (
    typeof classWeights === "string" ||
    (typeof classWeights === "object" && classWeights !== null && !Array.isArray(classWeights))
  );
}

/**
 * A loss as data, with a number for each class. Balanced: N / (C · N_c), with N labels of C classes, N_c of them of class c, so that all
 * classes weigh the same in sum, and a label 1 in the mean (scikit-learn's `class_weight="balanced"`). Classes that are named by nobody,
 * or have no example, weigh 1 each.
 *
 * @param classNames the classes' names, in the order of their numbers. Default: those that the model knows, or their numbers
 * @throws SettingError for a name that is no class
 */
export function withKnownClasses(
  loss: Loss,
  { labels }: Pick<Examples, "labels">,
  model: Model,
  classNames: readonly string[] = knownData(model).classNames ?? [],
): unknown {
  if (!waitsForClasses(loss)) return loss;
  const { classWeights: given, ...options } = loss.config ?? {};
  const weights: Record<string, number> = given === "balanced" ? balanced(labels) : {};
  if (given !== "balanced")
    for (const [name, weight] of Object.entries(given as Readonly<Record<string, number>>))
      weights[classNumber(name, classNames, "loss.classWeights")] = weight;
  const known = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== null));
  let most = Math.max(0, ...Object.keys(weights).map(Number));
  for (const label of labels) most = Math.max(most, label);
  const length = Math.max(most + 1, classNames.length);
  return {
    ...known,
    name: loss.name,
    classWeights: Array.from({ length }, (_, number) => weights[number] ?? 1),
  };
}

function balanced(labels: Examples["labels"]): Record<string, number> {
  if (!isArrayOf("Int32Array", labels)) return {};
  const counts = classCounts(labels);
  const all = [...counts.values()].reduce((sum, count) => sum + count, 0);
  return Object.fromEntries([...counts].map(([label, count]) => [label, all / (counts.size * count)]));
}

/**
 * The number of a class that an option names.
 *
 * @param classNames in the order of their numbers; where there are none, numbers are named
 * @throws SettingError for a name that is no class
 */
export function classNumber(name: string, classNames: readonly string[], of: string): number {
  const number = classNames.indexOf(name);
  if (number !== -1) return number;
  if (classNames.length === 0 && /^\d+$/.test(name)) return Number(name);
  const [near] = nearest(name, classNames);
  throw new SettingError(
    words`${mention(of)} names '${name}', which is no class${near === undefined ? "" : ` (did you mean '${near}'?)`}; expected
      ${classNames.length === 0 ? "class numbers, as the data have no names" : classNames.join(", ")}.`,
    { option: of },
  );
}
