/**
 * The words of errors and warnings. Options are marked in them, in the library's own words (`learningRate: 0.01`), so that a
 * program with other names for them, such as the command line with its flags, puts in its own by data, not by searching.
 */

/** A value that a message advises; null stands for what the reader fills in. */
export type OptionValue =
  | string
  | number
  | boolean
  | null
  | readonly string[]
  | Readonly<Record<string, string | number | null>>;

/** An option that a message names, and where. */
export interface Mention {
  /** Name in the library, with a point before what belongs to it: `learningRate`, `limits.nodes`. */
  readonly option: string;
  /** The value that the message advises for it, where it does. */
  readonly value?: OptionValue;
  /** Index of the mention's first character in the message. */
  readonly start: number;
  /** Index behind its last character. */
  readonly end: number;
}

/** A message in which options are marked. */
export class Words {
  /** The text, with options in the library's words. */
  readonly message: string;
  /** In the order of the message. */
  readonly mentions: readonly Mention[];

  constructor(message: string, mentions: readonly Mention[] = []) {
    this.message = message;
    this.mentions = mentions;
  }

  /** The text. */
  toString(): string {
    return this.message;
  }
}

/** What has a message with marked options: {@link Words}, and every error of the library. */
export interface Worded {
  /** The text, with options in the library's words. */
  readonly message: string;
  /** The options that it names, in the order of the message. */
  readonly mentions: readonly Mention[];
}

class Option {
  readonly option: string;
  readonly value: OptionValue | undefined;

  constructor(option: string, value?: OptionValue) {
    this.option = option;
    this.value = value;
  }

  toString(): string {
    return this.value === undefined ? this.option : `${this.option}: ${asCode(this.value)}`;
  }
}

/**
 * Marks an option in {@link words}: `option("learningRate")` reads `learningRate`, `option("loss", "cross-entropy")` reads
 * `loss: "cross-entropy"`, and `option("dimensions", { T: null })` reads `dimensions: { T: … }`.
 */
export function option(name: string, value?: OptionValue): Option {
  return new Option(name, value);
}

/**
 * A template whose values may be options, words with options of their own, errors of the library, or anything that has a
 * text. A line break in the template, with the blanks around it, is one blank in the message.
 */
export function words(texts: TemplateStringsArray, ...values: readonly unknown[]): Words {
  const [first = "", ...others] = texts.map((text) => text.replace(/\s*\n\s*/g, " "));
  return concatenated([first, ...others.flatMap((text, index) => [values[index], text])]);
}

/** Words after each other, with the separator between them. */
export function joined(parts: readonly (string | Worded)[], separator: string): Words {
  return concatenated(parts.flatMap((part, index) => (index === 0 ? [part] : [separator, part])));
}

function concatenated(parts: readonly unknown[]): Words {
  let message = "";
  const mentions: Mention[] = [];
  for (const part of parts) {
    const start = message.length;
    if (part instanceof Option) {
      const { option: name, value } = part;
      message += part;
      mentions.push({ option: name, ...(value === undefined ? {} : { value }), start, end: message.length });
    } else if (isWorded(part)) {
      message += part.message;
      for (const mention of part.mentions)
        mentions.push({ ...mention, start: mention.start + start, end: mention.end + start });
    } else message += part instanceof Error ? part.message : part;
  }
  return new Words(message, mentions);
}

function isWorded(part: unknown): part is Worded {
  return typeof part === "object" && part !== null && "mentions" in part;
}

/** A value as JavaScript writes it. */
function asCode(value: OptionValue): string {
  if (value === null) return "…";
  if (typeof value !== "object") return JSON.stringify(value);
  if (isList(value)) return `[${value.map((item) => JSON.stringify(item)).join(", ")}]`;
  const entries = Object.entries(value).map(
    ([name, item]) => `${/^[A-Za-z_]\w*$/.test(name) ? name : JSON.stringify(name)}: ${asCode(item)}`,
  );
  return `{ ${entries.join(", ")} }`;
}

function isList(value: object): value is readonly string[] {
  return Array.isArray(value);
}
