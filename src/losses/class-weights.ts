/** How much each class weighs in a loss: numbers by class, in whichever form they are given. */
import { either, numbers, type Option } from "../settings/option.ts";

/** One number for each class, in their order; numbers by name, 1 for all others; or what makes all classes weigh the same. */
export type ClassWeights = readonly number[] | Readonly<Record<string, number>> | "balanced";

const isWeight = (value: unknown): value is number =>
  typeof value === "number" && Number.isFinite(value) && value >= 0;

const byName = numbers(
  {},
  {
    help: "how much classes weigh, by name; or balanced: all the same in sum",
    otherwise: "1 each",
    flag: "class-weights",
  },
);

/** The option that takes them. */
export const classWeightsOption = either(
  {
    ...byName,
    accepts: (value): value is Readonly<Record<string, number>> =>
      byName.accepts(value) && Object.values(value).every(isWeight),
  },
  {
    names: ["balanced"],
    expected: '"balanced", or a list with a number from 0 for each class',
    accepts: (value) =>
      value === "balanced" ||
      (Array.isArray(value) && value.length > 0 && value.every(isWeight) && value.some((each) => each > 0)),
  },
) as Option<ClassWeights, undefined>;

/**
 * One number for each of so many classes, the least above 0 being 1, which changes no mean; undefined where the numbers do not fit, or
 * follow from data.
 */
export function weightsOf(given: ClassWeights, classes: number): readonly number[] | undefined {
  const isKnown = Object.keys(given).every((name) => Number(name) < classes);
  if (given === "balanced" || !isKnown || (Array.isArray(given) && given.length !== classes))
    return undefined;
  const named = given as Readonly<Record<number, number>>;
  const weights = Array.from({ length: classes }, (_, number) => named[number] ?? 1);
  const least = Math.min(...weights.filter((weight) => weight > 0));
  return weights.map((weight) => weight / least);
}
