/** The options of the models: names and kinds; what sizes go together is checked where they are built. */
import { checkOptions } from "../settings/check.ts";
import { requireOptions } from "../settings/needs.ts";
import { isObject, type Options, value, whole } from "../settings/option.ts";
import type { Normalization } from "./normalization.ts";

const isNumbers = (given: unknown): given is readonly number[] =>
  Array.isArray(given) && given.every((size) => typeof size === "number");

/** A size, whose range the builder checks. */
export const size = value<number>("a number", (given) => typeof given === "number", {});

/** Sizes in a list, whose number the builder checks. */
export const sizes = value<readonly number[]>("a list of numbers", isNumbers, {});

/** Two sizes. */
export const pair = value<readonly number[]>(
  "two numbers",
  (given) => isNumbers(given) && given.length === 2,
  {},
);

const moments = value<Normalization>("{ mean, standardDeviation }", isObject, {});

/** What every model takes. */
const common = {
  input: sizes,
  outputs: size,
  normalization: moments,
  targetNormalization: moments,
  seed: whole(0, {}),
  batch: size,
};

/** @throws SettingError for an unknown option, with the nearest one, for a wrong value, and without input and outputs */
export function checkModel(name: string, own: Options, options: object): void {
  const all = { ...common, ...own };
  checkOptions(all, options, { of: name, prefix: `${name}.` });
  requireOptions(name, all, options, ["input", "outputs"], `${name}.`);
}
