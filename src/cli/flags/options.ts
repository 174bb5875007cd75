/** Flags that several commands have, and how their values are read. */
import { type Command, InvalidArgumentError, Option } from "commander";
import { type Augmentation, parseAugmentation } from "../../data/pictures/augment.ts";
import { defaultLimits, type Limits } from "../../limits/limits.ts";
import { nodeDevices } from "../../runtime/node.ts";
import { nearest } from "../../settings/nearest.ts";

/** A flag whose value is one of a list; a wrong one is answered with the nearest. */
export function choice(flags: string, description: string, values: readonly string[]): Option {
  const option = new Option(flags, `${description} (${values.join(", ")})`);
  option.argParser((given: string) => {
    if (values.includes(given)) return given;
    const [near] = nearest(given, values);
    throw new InvalidArgumentError(
      `${near ? `Did you mean ${near}? ` : ""}Allowed values: ${values.join(", ")}.`,
    );
  });
  return option;
}

export function wholeNumber(least: number): (given: string) => number {
  return (given) => {
    const value = Number(given);
    if (given.trim() !== "" && Number.isSafeInteger(value) && value >= least) return value;
    throw new InvalidArgumentError(`Expected a whole number from ${least}.`);
  };
}

/** Sizes separated by commas: "256,256". */
export function sizes(given: string): number[] {
  const parse = wholeNumber(1);
  return given.split(",").map((part) => parse(part));
}

export function pattern(given: string): RegExp {
  try {
    return new RegExp(given);
  } catch (error) {
    throw new InvalidArgumentError(`Expected a regular expression: ${(error as Error).message}.`);
  }
}

/** Names separated by commas. */
export function names(given: string): string[] {
  const list = given.split(",").map((name) => name.trim());
  if (!list.includes("")) return list;
  throw new InvalidArgumentError("Expected names separated by commas.");
}

/** "32", or height and width: "24x32". */
export function imageSize(given: string): { height: number; width: number } {
  const [height, width = height, ...rest] = given.toLowerCase().split("x").map(Number);
  const isSize = (size: number | undefined): size is number => Number.isInteger(size) && (size ?? 0) >= 1;
  if (rest.length === 0 && isSize(height) && isSize(width)) return { height, width };
  throw new InvalidArgumentError("Expected a size in pixels, for example 32 or 24x32 (height x width).");
}

/** "crop:4,flip" */
export function augmentation(given: string): Augmentation {
  try {
    return parseAugmentation(given);
  } catch (error) {
    throw new InvalidArgumentError(`The ${(error as Error).message}.`);
  }
}

/** Above 0, at most 1. */
export function share(given: string): number {
  const value = Number(given);
  if (given.trim() !== "" && value > 0 && value <= 1) return value;
  throw new InvalidArgumentError("Expected a number above 0 and at most 1.");
}

/** The flags that choose data. */
export function addDataOptions(
  command: Command,
  dataNames: readonly string[],
  kind: "labelled" | "measured" | "unlabelled" = "labelled",
): Command {
  const isLabelled = kind !== "unlabelled";
  const otherwise: Readonly<Record<typeof kind, [string | undefined, string?]>> = {
    labelled: ["glyphs"],
    measured: [
      undefined,
      "what the model was trained on, as far as it knows, by --data-file or --data-dir, or else glyphs",
    ],
    unlabelled: [undefined, "by --data-file or --data-dir"],
  };
  const data = choice(
    "--data <name>",
    "a dataset, or images, csv, npz, text, conll (labels by word) or next-token (plain text) of your own",
    dataNames,
  );
  command
    .optionsGroup("Data:")
    .addOption(data.default(...otherwise[kind]))
    .option(
      "--data-dir <folder>",
      `folder with the dataset's files (default: download once, into the cache folder), or with images${isLabelled ? " in class folders" : ""}`,
    )
    .option(
      "--data-file <file>",
      "csv, text (CSV or JSON Lines, gzipped or not), npz, conll or next-token: the file",
    )
    .option(
      "--target <text>",
      isLabelled
        ? "csv: the column to learn (classes, or numbers for --loss mean-squared-error); with --adapter: regex of the matrices"
        : "csv: the column that was learned, where the model does not know its columns",
    )
    .option("--ignore-columns <names>", "csv: columns left out", names)
    .option(
      "--categorical <names>",
      "csv: columns that are categories even where their values are numbers",
      names,
    )
    .option("--header", "csv: row 1 names the columns, whatever it looks like")
    .option("--no-header", "csv: row 1 names no columns; they are called 1, 2, …")
    .addOption(
      choice("--decimal <sign>", "csv: the decimal sign of columns that do not tell it", ["point", "comma"]),
    )
    .option(
      "--arrays <names>",
      isLabelled
        ? "npz: inputs,labels or inputs,labels,test-inputs,test-labels (default: x_train,y_train,x_test,y_test; inputs,labels; x,y); of a model of several inputs: their names, then the labels'"
        : "npz: the inputs (default: those that are called like the model's, the only array, or x_test, inputs, x, x_train)",
      names,
    )
    .option(
      "--text <column>",
      "text: the column of the texts; conll: the number of the words' column (default: 1)",
    )
    .option("--text-pair <column>", "text: the column of the second text of a pair")
    .option(
      "--tokenizer <file>",
      "texts: the model's tokenizer.json, or its folder (default: beside the model file)",
    )
    .option(
      "--max-length <n>",
      "texts: tokens of a text at most, or of a block (default: 128)",
      wholeNumber(1),
    )
    .option("--image-size <n>", "images: resize all to n×n, or to height x width: 24x32", imageSize)
    .option("--ignore-orientation", "images: leave them as they are stored, whatever EXIF says");
  if (isLabelled)
    command
      .option(
        "--label <column>",
        "text: the column to learn (classes, or numbers for --loss mean-squared-error); conll: its number (default: the last)",
      )
      .option(
        "--test-file <file>",
        "csv, npz, text, conll, next-token: what to test on (default: a part of --data-file)",
      )
      .option(
        "--test-fraction <x>",
        "data of your own: share set aside for testing where there is no test part (default: 0.2)",
        share,
      );
  return addLimitOption(command);
}

/** The flag that says what files may ask for. */
export function addLimitOption(command: Command): Command {
  const list = Object.entries(defaultLimits).map(([name, value]) => `${name}=${value}`);
  return command.option(
    "--limit <name=n>",
    `what files may ask for before they are refused; may be given several times (default: ${list.join(", ")})`,
    limit,
  );
}

/** NAME=N of a limit, collected. */
function limit(given: string, before: Partial<Limits> = {}): Partial<Limits> {
  const [name = "", value = ""] = given.split("=");
  if (Object.hasOwn(defaultLimits, name)) return { ...before, [name]: wholeNumber(1)(value) };
  const [near] = nearest(name, Object.keys(defaultLimits));
  throw new InvalidArgumentError(
    `${near ? `Did you mean ${near}? ` : ""}Limits: ${Object.keys(defaultLimits).join(", ")}.`,
  );
}

/** The flags that choose where graphs run. */
export function addRuntimeOptions(command: Command): Command {
  return command
    .addOption(
      choice("--device <name>", "what graphs run on; webgpu and cuda need a driver", nodeDevices).default(
        "cpu",
      ),
    )
    .option("--threads <n>", "threads on the CPU (default: all cores)", wholeNumber(1));
}
