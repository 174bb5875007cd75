import type { Mention, OptionValue, Worded } from "../../errors/words.ts";
import { quoted } from "./command-line.ts";

/** The flags of the library's options, where messages name them; with what stands for a value that the reader chooses. */
export const flags: Readonly<Record<string, readonly [flag: string, placeholder?: string]>> = {
  learningRate: ["--lr", "X"],
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
export function errorInFlags(error: Worded & { readonly option?: string }): string {
  const text = inFlags(error);
  const flag = error.option === undefined ? undefined : flags[error.option]?.[0];
  if (flag === undefined || text.includes(flag)) return text;
  return text.endsWith(".") ? `${text.slice(0, -1)} (${flag}).` : `${text} (${flag})`;
}

function inFlag({ option, value, start, end }: Mention, message: string): string {
  const known = Object.hasOwn(flags, option) ? flags[option] : undefined;
  if (!known) return message.slice(start, end);
  const [flag, placeholder = "VALUE"] = known;
  if (value === undefined || value === true) return flag;
  if (value === false) return flag.replace("--", "--no-");
  return `${flag} ${given(value, placeholder)}`;
}

/** A value as a shell takes it. */
function given(value: OptionValue, placeholder: string): string {
  if (typeof value !== "object") return quoted(String(value));
  if (Array.isArray(value)) return quoted(value.join(","));
  return Object.entries(value)
    .map(([name, item]) => quoted(`${name}=${item ?? placeholder}`))
    .join(" ");
}
