import { SettingError } from "../../errors/errors.ts";
import { option as mention, type OptionValue, type Words, words } from "../../errors/words.ts";
import { type Naming, resolveOptions, shown } from "../../settings/check.ts";
import type { Registry } from "../../settings/named.ts";
import type { Given, Option, Options, Resolved } from "../../settings/option.ts";

/**
 * What was given for settings, checked, with the defaults of the rest. A name that moved is answered with its new place.
 *
 * @throws SettingError that names the option, and the nearest valid one
 */
export function resolveSettings<const All extends Options>(
  options: All,
  given: Given<All>,
  naming: Naming,
): Resolved<All> {
  const values: Readonly<Record<string, unknown>> = given;
  const advice = (name: string) => newName(name, values[name], options);
  return resolveOptions(options, given, { ...naming, advice });
}

/** What became of options that have no other name. */
const removed: Readonly<Record<string, string>> = {
  limits:
    "They belong to the model: decodeModel(bytes, { limits }) of forwardgrad/onnx, or loadModel(path, limits) of forwardgrad/node.",
};

/** Where an option is that is none of these itself: in an object, with what it belongs to. */
export function newName(name: string, value: unknown, options: Options): string | undefined {
  if (Object.hasOwn(removed, name)) return removed[name];
  const found: string[] = [];
  let owners: string[] = [];
  const isThat = ([own, { was = [], known = [] }]: readonly [string, Option]) =>
    own === name || was.includes(name) || known.includes(name);
  for (const [setting, option] of Object.entries(options)) {
    if (option.was?.includes(name)) found.push(`It is now ${setting}: ${option.expected}`);
    if (option.known?.includes(name)) found.push(`It is ${setting} here: ${option.expected}`);
    const part = Object.entries(option.parts ?? {}).find(isThat);
    if (part) found.push(`It belongs to ${setting}: { ${part[0]}: ${shown(value)} }`);
    const registry = "registry" in option ? (option.registry as Registry) : {};
    for (const [own, { options: taken }] of Object.entries(registry)) {
      const entry = Object.entries(taken).find(isThat);
      if (!entry) continue;
      if (owners.length === 0)
        found.push(`${setting}: ${functionName(setting, own)}({ ${entry[0]}: ${shown(value)} })`);
      owners = [...owners, own];
    }
  }
  const [first] = found;
  if (first === undefined) return undefined;
  return owners.length === 0
    ? `${found.join(" ")}.`
    : `It belongs to ${owners.join(", ")}: ${found.join(", or ")}.`;
}

/** "low-rank" is made by `lowRank`. */
function functionName(setting: string, name: string): string {
  const camel = name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
  return setting === "schedule" ? `schedules.${camel}` : camel;
}

/** Refuses a setting that another one leaves without effect. */
export function refusePointless(
  pointless: string,
  value: unknown,
  because: Words | string,
  remedy: Words | string = "leave one of them out",
): void {
  if (value === undefined || value === false) return;
  const scalar = ["string", "number", "boolean"].includes(typeof value) ? (value as OptionValue) : undefined;
  throw new SettingError(words`${mention(pointless, scalar)} has no effect with ${because}; ${remedy}.`, {
    option: pointless,
  });
}
