/** Options that have to be given. */
import { SettingError } from "../errors/errors.ts";
import { option as mention, words } from "../errors/words.ts";
import type { Options } from "./option.ts";

/** @param of whose options they are @throws SettingError for the first of these names that is not given */
export function requireOptions(
  of: string,
  options: Options,
  given: object,
  names: readonly string[],
  prefix = "",
): void {
  const missing = names.find((name) => (given as Readonly<Record<string, unknown>>)[name] === undefined);
  if (missing === undefined) return;
  const name = `${prefix}${missing}`;
  throw new SettingError(words`${of} needs ${mention(name)}: ${options[missing]?.expected ?? ""}.`, {
    option: name,
  });
}
