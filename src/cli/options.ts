import { type Command, InvalidArgumentError, Option } from "commander";

/** A flag whose value is one of a list; a wrong one is answered with the nearest. */
export function choice(flags: string, description: string, values: readonly string[]): Option {
  const option = new Option(flags, `${description} (${values.join(", ")})`);
  option.argParser((given: string) => {
    if (values.includes(given)) return given;
    const near = nearest(given, values);
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

export function positiveNumber(given: string): number {
  const value = Number(given);
  if (given.trim() !== "" && Number.isFinite(value) && value > 0) return value;
  throw new InvalidArgumentError("Expected a number above 0.");
}

export function nonNegativeNumber(given: string): number {
  const value = Number(given);
  if (given.trim() !== "" && Number.isFinite(value) && value >= 0) return value;
  throw new InvalidArgumentError("Expected a number from 0.");
}

export function fraction(given: string): number {
  const value = Number(given);
  if (given.trim() !== "" && value >= 0 && value < 1) return value;
  throw new InvalidArgumentError("Expected a number from 0 to below 1.");
}

/** Sizes separated by commas: "256,256". */
export function sizes(given: string): number[] {
  const parse = wholeNumber(1);
  return given.split(",").map((part) => parse(part));
}

/** NAME=N, collected. */
export function dimension(given: string, before: Record<string, number> = {}): Record<string, number> {
  const split = given.lastIndexOf("=");
  if (split < 1) throw new InvalidArgumentError("Expected NAME=N, for example sequence=128.");
  return { ...before, [given.slice(0, split)]: wholeNumber(1)(given.slice(split + 1)) };
}

export function pattern(given: string): RegExp {
  try {
    return new RegExp(given);
  } catch (error) {
    throw new InvalidArgumentError(`Expected a regular expression: ${(error as Error).message}.`);
  }
}

/** The candidate with the smallest edit distance, where it is small enough to be a slip. */
export function nearest(given: string, candidates: readonly string[]): string | undefined {
  const ranked = candidates
    .map((candidate) => ({ candidate, distance: editDistance(given.toLowerCase(), candidate.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance);
  const best = ranked[0];
  return best && best.distance <= Math.max(2, Math.floor(best.candidate.length / 2))
    ? best.candidate
    : undefined;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, place) => place);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}

/** Options that several commands share. */
export function addDataOptions(command: Command, names: readonly string[]): Command {
  return command
    .addOption(choice("--data <name>", "dataset", names).default("glyphs"))
    .option(
      "--data-dir <folder>",
      "folder with the dataset's files (default: download once, into the cache folder)",
    );
}
