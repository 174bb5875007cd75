/** Checks what functions take beside options. */
import { SettingError } from "../errors/errors.ts";
import { shown } from "./check.ts";
import type { Option } from "./option.ts";

/** Checks what a function takes before its options. @throws SettingError that says what it takes, and what it received */
export function checkArgument(of: string, { accepts, expected }: Option, given: unknown): void {
  if (accepts(given)) return;
  throw new SettingError(`${of} takes ${expected}, received ${shown(given)}.`, { option: of });
}
