/** The options of the models: names and kinds; what sizes go together is checked where they are built. */
import { checkOptions } from "../settings/check.ts";
import { choice, isObject, type Options, text, value, whole } from "../settings/option.ts";
import { activations } from "./activations.ts";
import type { Normalization } from "./normalization.ts";

const isNumbers = (given: unknown): given is readonly number[] =>
  Array.isArray(given) && given.every((size) => typeof size === "number");

const isMoment = (given: unknown) => typeof given === "number" || isNumbers(given);

const size = (help: string) => value<number>("a number", (given) => typeof given === "number", { help });

/** Sizes in a list. @param count how many; default: any number of them */
const sizes = (help: string, count?: number) =>
  value<readonly number[]>(
    count === undefined ? "a list of numbers, such as [256, 256]" : `a list of ${count} numbers`,
    (given) => isNumbers(given) && (count === undefined || given.length === count),
    { help },
  );

const normalization = (help: string) =>
  value<Normalization>(
    "{ mean, standardDeviation }, each a number or a list of numbers",
    (given) => isObject(given) && isMoment(given.mean) && isMoment(given.standardDeviation),
    { help },
  );

/** What every model takes. */
const common = {
  input: sizes("shape of one example"),
  outputs: size("number of outputs"),
  normalization: normalization("of the inputs"),
  targetNormalization: normalization("of the targets of a regression"),
  seed: whole(0, { help: "decides the initial parameters" }),
  batch: size("batch of the graph's static shapes"),
};

const activation = choice(Object.keys(activations), { help: "nonlinearity" });

/** What each model takes besides. */
const ownOptions = {
  mlp: { hidden: sizes("widths of the hidden layers"), activation },
  lenet5: {
    activation,
    pooling: choice(["max", "average"], { help: "how windows are pooled" }),
    padding: whole(0, { help: "zeros around the image" }),
    channels: sizes("channels of the convolutions", 2),
    hidden: sizes("widths of the hidden linear layers", 2),
  },
  convnet: { architecture: text({ help: "operations and blocks" }) },
  resnet18: {
    norm: choice(["batch", "group"], { help: "normalization" }),
    groups: size("groups of GroupNormalization"),
    width: size("channels of the first stage"),
  },
  vit: {
    patch: size("side of the patches"),
    layers: size("encoder layers"),
    heads: size("attention heads"),
    width: size("size of a token"),
    mlp: size("hidden width of the perceptrons"),
  },
  "mlp-mixer": {
    patch: size("side of the patches"),
    layers: size("mixer layers"),
    width: size("size of a token"),
    tokenMlp: size("hidden width across tokens"),
    channelMlp: size("hidden width across channels"),
  },
} satisfies Readonly<Record<string, Options>>;

/** @throws SettingError for an unknown option, with the nearest one, for a wrong value, and without input and outputs */
export function checkModel(name: keyof typeof ownOptions, options: object): void {
  const all = { ...common, ...ownOptions[name] };
  checkOptions(all, options, { of: name, prefix: `${name}.`, needs: ["input", "outputs"] });
}
