/** What an option is: what it takes, as a check and in words, what it is where nobody says, and a line of help. */
import type { Words } from "../errors/words.ts";

export interface Option<Value = unknown, Default extends Value | undefined = Value | undefined> {
  readonly kind: Kind;
  /** What is expected, after "must be": "a whole number from 1". */
  readonly expected: string;
  /** Whether a value is one. */
  readonly accepts: (value: unknown) => value is Value;
  readonly default: Default;
  /** What it is where nobody says, in words, where that follows from others. */
  readonly otherwise?: string;
  /** A line for command lines and forms; options that only programs give have none. */
  readonly help?: string;
  /** Spelling on the command line where it is not the name's own (learningRate: learning-rate); false: it has none there. */
  readonly flag?: string | false;
  /** Names that it had in earlier releases. */
  readonly was?: readonly string[];
  /** Names that it has elsewhere, which somebody may bring along: "batchSize". */
  readonly known?: readonly string[];
  /** Values that another option takes, or this one under another name: the option, and its value. */
  readonly elsewhere?: Elsewhere;
  /** The names of a choice, and words that stand for something besides numbers. */
  readonly names?: readonly string[];
  /** Why a resumed run may change it, where it is no part of what the run is. */
  readonly exempt?: string;
  /** The thing that was chosen, in whichever form, where it is chosen by name. */
  readonly choose?: (value: unknown) => unknown;
  /** What to say of a value that it does not take, after a blank, where more is known than the nearest name. */
  readonly advise?: (value: unknown) => Words | undefined;
  /** What belongs to it, by name, where it is an object of options. */
  readonly parts?: Options | undefined;
}

/** By value: which option takes it, and as what. */
export type Elsewhere = Readonly<Record<string, readonly [option: string, value: string]>>;

/** How a value is written as text, by which a command line or a form reads it. */
export type Kind =
  | "whole"
  | "number"
  | "toggle"
  | "choice"
  | "pattern"
  | "names"
  | "text"
  | "numbers"
  | "value";

/** Options by name: of a run, or of a thing with a name. */
export type Options = Readonly<Record<string, Option>>;

export type ValueOf<One> = One extends Option<infer Value> ? Value : never;

/** What may be given for options. */
export type Given<All extends Options> = { readonly [Name in keyof All]?: ValueOf<All[Name]> | undefined };

/** Options with their defaults. */
export type Resolved<All extends Options> = {
  readonly [Name in keyof All]: All[Name] extends { readonly default: infer Default }
    ? undefined extends Default
      ? ValueOf<All[Name]> | undefined
      : ValueOf<All[Name]>
    : never;
};

/** What every description may say. */
export interface Described<Default> {
  readonly help?: string;
  readonly default?: Default;
  readonly otherwise?: string;
  readonly flag?: string | false;
  readonly was?: readonly string[];
  readonly known?: readonly string[];
  readonly elsewhere?: Elsewhere;
  readonly exempt?: string;
  readonly advise?: (value: unknown) => Words | undefined;
}

/** A number of steps, examples or the like. @param least undefined: any, below 0 as well */
export function whole<Default extends number | undefined = undefined>(
  least: number | undefined,
  described: Described<Default>,
): Option<number, Default> {
  const accepts = (value: unknown): value is number =>
    Number.isSafeInteger(value) && (least === undefined || Number(value) >= least);
  const expected = least === undefined ? "a whole number" : `a whole number from ${least}`;
  return option("whole", expected, accepts, described);
}

/** Bounds of a number. */
export interface Range {
  readonly from?: number;
  readonly above?: number;
  readonly to?: number;
  readonly below?: number;
  /** What it counts, after the number: "degrees". */
  readonly unit?: string;
}

/** A finite number within bounds. */
export function number<Default extends number | undefined = undefined>(
  { from, above, to, below, unit }: Range,
  described: Described<Default>,
): Option<number, Default> {
  const [lower, upper] = [from ?? above ?? Number.NEGATIVE_INFINITY, to ?? below ?? Number.POSITIVE_INFINITY];
  const accepts = (value: unknown): value is number =>
    typeof value === "number" &&
    Number.isFinite(value) &&
    (above === undefined ? value >= lower : value > lower) &&
    (below === undefined ? value <= upper : value < upper);
  const bounds = [
    from === undefined ? "" : `from ${from}`,
    above === undefined ? "" : `above ${above}`,
    to === undefined ? "" : from === undefined ? `and at most ${to}` : `to ${to}`,
    below === undefined ? "" : `to below ${below}`,
  ].filter((bound) => bound !== "");
  const expected = ["a number", ...bounds, ...(unit === undefined ? [] : [unit])].join(" ");
  return option("number", expected, accepts, described);
}

/** On or off. */
export function toggle<Default extends boolean | undefined = false>(
  described: Described<Default>,
): Option<boolean, Default> {
  return {
    ...option("toggle", "true or false", (value): value is boolean => typeof value === "boolean", described),
    default: (described.default ?? false) as Default,
  };
}

/** One of some names. */
export function choice<Name extends string, Default extends Name | undefined = undefined>(
  names: readonly Name[],
  described: Described<Default>,
): Option<Name, Default> {
  const accepts = (value: unknown): value is Name => (names as readonly unknown[]).includes(value);
  return { ...option<Name, Default>("choice", oneOf(names), accepts, described), names };
}

/** A text that is not empty. */
export function text(described: Described<undefined>): Option<string, undefined> {
  return option(
    "text",
    "a name",
    (value): value is string => typeof value === "string" && value !== "",
    described,
  );
}

/** A regular expression. */
export function pattern(described: Described<undefined>): Option<RegExp, undefined> {
  const accepts = (value: unknown): value is RegExp =>
    Object.prototype.toString.call(value) === "[object RegExp]";
  return option("pattern", "a regular expression", accepts, described);
}

/** A choice among names; as text, a regular expression. */
export function names(described: Described<undefined>): Option<(name: string) => boolean, undefined> {
  const accepts = (value: unknown): value is (name: string) => boolean => typeof value === "function";
  return option("names", "a function of a stored tensor's name", accepts, described);
}

/** Numbers by name. */
export function numbers(
  { whole: isWhole = false }: { readonly whole?: boolean },
  described: Described<undefined>,
): Option<Readonly<Record<string, number>>, undefined> {
  const fits = (value: unknown) =>
    isWhole ? Number.isSafeInteger(value) && Number(value) >= 1 : typeof value === "number";
  const accepts = (value: unknown): value is Readonly<Record<string, number>> =>
    isObject(value) && Object.values(value).every(fits);
  const expected = `${isWhole ? "whole numbers from 1" : "numbers"} by name, { name: number }`;
  return option("numbers", expected, accepts, described);
}

/** An option that takes something else as well: words, or what a check knows. */
export function either<Value, Default extends Value | undefined, Other>(
  { accepts, ...one }: Option<Value, Default>,
  other: { readonly expected: string; readonly names?: readonly string[]; accepts(value: unknown): boolean },
): Option<Value | Other, Default> {
  return {
    ...one,
    names: [...(one.names ?? []), ...(other.names ?? [])],
    expected: `${one.expected}, or ${other.expected}`,
    accepts: (value): value is Value | Other => accepts(value) || other.accepts(value),
  };
}

/** Anything else that a check knows. */
export function value<Value>(
  expected: string,
  accepts: (value: unknown) => boolean,
  described: Described<undefined>,
): Option<Value, undefined> {
  return option("value", expected, accepts as (value: unknown) => value is Value, described);
}

function option<Value, Default extends Value | undefined>(
  kind: Kind,
  expected: string,
  accepts: (value: unknown) => value is Value,
  described: Described<Default>,
): Option<Value, Default> {
  return { kind, expected, accepts, ...described, default: described.default as Default };
}

/** "a, b or c" */
export function oneOf(names: readonly string[]): string {
  return names.length < 2 ? names.join() : `${names.slice(0, -1).join(", ")} or ${names.at(-1)}`;
}

/** Whether a value holds others by name: neither a list, nor a function, nor null. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value);
}
