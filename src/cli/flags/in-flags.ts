import { ForwardgradError, SettingError } from "../../errors/errors.ts";
import type { Mention, OptionValue, Worded } from "../../errors/words.ts";
import { searchOptions } from "../../search/options.ts";
import { quoted } from "./command-line.ts";
import { flagsOf, placeholder } from "./setting-flags.ts";

interface Flag {
  readonly flag: string;
  /** Stands for a value that the reader chooses. */
  readonly placeholder?: string;
  /** Values that have flags of their own. */
  readonly values?: Readonly<Record<string, string>>;
}

/** The flags of settings, as they are described. */
const ofSettings: Readonly<Record<string, Flag>> = Object.fromEntries(
  flagsOf(searchOptions).map(({ flag, path, options: [first] }) => [
    path.join("."),
    {
      flag: `--${flag}`,
      ...(first && { placeholder: placeholder(first.option).replace(/.*=/, "").toUpperCase() }),
    },
  ]),
);

/** The flags of the library's options, where messages name them. */
export const flags: Readonly<Record<string, Flag>> = {
  ...ofSettings,
  adapter: { flag: "--adapter" },
  "adapter.target": { flag: "--target" },
  arrays: { flag: "--arrays" },
  augment: { flag: "--augment" },
  // A number that stands for an object of options is the first of them.
  batch: { flag: "--batch", placeholder: "N" },
  patience: { flag: "--patience", placeholder: "N" },
  categorical: { flag: "--categorical" },
  decimal: { flag: "--decimal" },
  device: { flag: "--device" },
  // The folder of a dataset's files.
  directory: { flag: "--data-dir" },
  guess: { flag: "--guess" },
  head: { flag: "--head" },
  "head.alone": { flag: "--head-alone" },
  "head.beside": { flag: "--beside-head" },
  "head.from": { flag: "--head-from", placeholder: "NAME" },
  "head.pool": { flag: "--head-pool" },
  header: { flag: "--header", values: { false: "--no-header" } },
  ignore: { flag: "--ignore-columns" },
  label: { flag: "--label" },
  learningRate: { flag: "--lr", placeholder: "X" },
  limits: { flag: "--limit", placeholder: "N" },
  // The function that makes the model of that name.
  mlp: { flag: "--model mlp" },
  maxLength: { flag: "--max-length" },
  model: { flag: "--model" },
  pair: { flag: "--text-pair" },
  size: { flag: "--image-size" },
  // Where a run keeps its files.
  store: { flag: "--out" },
  target: { flag: "--target" },
  tokenizer: { flag: "--tokenizer" },
  // What a table's targets are follows from the loss.
  targets: {
    flag: "--loss",
    values: { values: "--loss mean-squared-error", classes: "--loss cross-entropy" },
  },
  text: { flag: "--text" },
  threads: { flag: "--threads" },
  certificate: { flag: "--certificate", placeholder: "FILE" },
  credentials: { flag: "--credentials", placeholder: "FILE" },
  granule: { flag: "--granule", placeholder: "N" },
  run: { flag: "--run", placeholder: "NAME" },
  sliced: { flag: "--sliced", values: { false: "--no-sliced" } },
  quorum: { flag: "--quorum", placeholder: "X" },
};

/** A message as the command line says it: with flags instead of the library's options. */
export function inFlags({ message, mentions }: Worded): string {
  let text = "";
  let end = 0;
  for (const mention of mentions) {
    text += message.slice(end, mention.start) + inFlag(mention, message);
    end = mention.end;
  }
  return text + message.slice(end);
}

/**
 * An error as the command line says it: with flags instead of options, and with the flag of the option that is wrong where
 * the message names none.
 */
export function errorInFlags(error: unknown): string {
  if (!(error instanceof ForwardgradError)) return error instanceof Error ? error.message : String(error);
  const text = inFlags(error);
  const flag = error instanceof SettingError ? flagOf(error.option)?.flag : undefined;
  if (flag === undefined || text.includes(flag)) return text;
  return text.endsWith(".") ? `${text.slice(0, -1)} (${flag}).` : `${text} (${flag})`;
}

function inFlag({ option, value, start, end }: Mention, message: string): string {
  const known = flagOf(option);
  if (!known) return message.slice(start, end);
  const { flag, placeholder = "VALUE", values = {} } = known;
  if (value === undefined || value === true) return flag;
  if (option === "size") return `${flag} ${Object.values(value as object).join("x")}`;
  return values[String(value)] ?? `${flag} ${given(value, placeholder)}`;
}

function flagOf(option: string): Flag | undefined {
  return Object.hasOwn(flags, option) ? flags[option] : undefined;
}

/** A value as a shell takes it. */
function given(value: OptionValue, placeholder: string): string {
  if (value === null) return placeholder;
  if (typeof value !== "object") return quoted(String(value));
  if (isList(value)) return quoted(value.join(","));
  return Object.entries(value)
    .map(([name, item]) => (item === null ? `${name}=${placeholder}` : quoted(`${name}=${item}`)))
    .join(" ");
}

function isList(value: object): value is readonly string[] {
  return Array.isArray(value);
}
