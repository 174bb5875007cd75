/** Values that another option takes, or this one under another name. */
import { option as mention, type Words, words } from "../errors/words.ts";
import type { Option } from "./option.ts";

/** Where a value belongs that this option does not take, after a blank; undefined where that is not known. */
export function elsewhere(
  { elsewhere: others = {} }: Pick<Option, "elsewhere">,
  value: unknown,
): Words | undefined {
  if (typeof value !== "string" || !Object.hasOwn(others, value)) return undefined;
  const [option = "", meant = ""] = others[value] ?? [];
  return words` Choose ${mention(option, meant)} instead.`;
}
