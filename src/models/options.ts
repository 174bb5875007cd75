/** The options of the models: names and kinds; what sizes go together is checked where they are built. */
import { checkOptions } from "../settings/check.ts";
import { isObject, type Options, value, whole } from "../settings/option.ts";
import type { Normalization } from "./normalization.ts";

const isNumbers = (given: unknown): given is readonly number[] =>
  Array.isArray(given) && given.every((size) => typeof size === "number");

const isMoment = (given: unknown) => typeof given === "number" || isNumbers(given);

/** A size, whose range the builder checks. */
export const size = value<number>("a number", (given) => typeof given === "number", {});

/** Sizes in a list. @param count how many; default: any number of them */
export const sizes = (count?: number) =>
  value<readonly number[]>(
    count === undefined ? "a list of numbers, such as [256, 256]" : `a list of ${count} numbers`,
    (given) => isNumbers(given) && (count === undefined || given.length === count),
    {},
  );

const moments = value<Normalization>(
  "{ mean, standardDeviation }, numbers or lists of them",
  (given) => isObject(given) && isMoment(given.mean) && isMoment(given.standardDeviation),
  {},
);

/** What every model takes. */
const common = {
  input: sizes(),
  outputs: size,
  normalization: moments,
  targetNormalization: moments,
  seed: whole(0, {}),
  batch: size,
};

/** @throws SettingError for an unknown option, with the nearest one, for a wrong value, and without input and outputs */
export function checkModel(name: string, own: Options, options: object): void {
  checkOptions({ ...common, ...own }, options, { of: name, prefix: `${name}.`, needs: ["input", "outputs"] });
}
