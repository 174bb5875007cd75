/** Checks options against their descriptions. */
import { SettingError } from "../errors/errors.ts";
import { option as mention, words } from "../errors/words.ts";
import { nearest } from "./nearest.ts";
import { type Given, isObject, type Option, type Options, type Resolved } from "./option.ts";

/** How options are named in errors. */
export interface Naming {
  /** Whose options they are: "train", "adam". */
  readonly of: string;
  /** What stands before their names: "optimizer." of `optimizer.beta1`. Default: nothing. */
  readonly prefix?: string;
  /** What to say of a name that is unknown here, where more is known of it. */
  readonly advice?: (name: string) => string | undefined;
}

/**
 * Checks what was given for options, one by one; undefined counts as not given.
 *
 * @throws SettingError for what is no object, for an unknown name, with the nearest one, and for a value out of range
 */
export function checkOptions(options: Options, given: unknown, naming: Naming): void {
  const { of, prefix = "" } = naming;
  if (!isObject(given)) {
    throw new SettingError(`${of} takes an object of options, received ${shown(given)}.`, { option: of });
  }
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) continue;
    const option = Object.hasOwn(options, name) ? options[name] : undefined;
    if (!option) throw unknownOption(name, options, naming);
    if (!option.accepts(value)) throw wrongValue(`${prefix}${name}`, option, value);
  }
}

/** What was given, checked, with the defaults of the rest, and things in place of their names. @throws as `checkOptions` */
export function resolveOptions<All extends Options>(
  options: All,
  given: Given<All>,
  naming: Naming,
): Resolved<All> {
  checkOptions(options, given, naming);
  const values: Readonly<Record<string, unknown>> = given;
  return Object.fromEntries(
    Object.entries(options).map(([name, { choose, default: standard }]) => {
      const value = values[name] ?? standard;
      return [name, choose && value !== undefined ? choose(value) : value];
    }),
  ) as Resolved<All>;
}

export function wrongValue(name: string, option: Option, value: unknown): SettingError {
  const { expected, names = [] } = option;
  const received = shown(value);
  const near = typeof value === "string" ? nearest(value, names).map(shown) : [];
  const hint = option.advise?.(value) ?? (near[0] ? ` Did you mean ${near[0]}?` : "");
  return new SettingError(words`${mention(name)} must be ${expected}, received ${received}.${hint}`, {
    option: name,
    neighbours: near,
  });
}

function unknownOption(name: string, options: Options, { of, prefix = "", advice }: Naming): SettingError {
  const names = Object.keys(options);
  // Flags are what somebody may have in mind who knows the command line.
  const meant: Readonly<Record<string, string>> = Object.fromEntries(
    names.flatMap((each) => [
      [each, each],
      [camelCase(options[each]?.flag || each), each],
    ]),
  );
  const near = nearest(name, Object.keys(meant)).map(
    (found) => `${prefix}${Object.hasOwn(options, found) ? found : meant[found]}`,
  );
  const neighbours = [...new Set(near)];
  const list = `${of} takes ${names.join(", ") || "no options"}.`;
  const remedy = advice?.(name) ?? (near[0] ? `Did you mean ${near[0]}? ${list}` : list);
  return new SettingError(`${of} has no option '${name}'. ${remedy}`, {
    option: `${prefix}${name}`,
    neighbours,
  });
}

/** "tangent-rank" as "tangentRank". */
function camelCase(flag: string): string {
  return flag.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}

/** A value as an error shows it. */
export function shown(value: unknown): string {
  if (typeof value === "string")
    return JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}...` : value);
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function") return `the function ${value.name || "(without a name)"}`;
  if (typeof value !== "object" || value === null) return String(value);
  const kind = Object.prototype.toString.call(value).slice(8, -1);
  if (Array.isArray(value)) return value.length <= 4 ? `[${value.map(shown).join(", ")}]` : "a list";
  if (kind === "RegExp") return String(value);
  if (kind !== "Object")
    return `${/^[AEIOU]/.test(kind) ? "an" : "a"} ${kind}${kind === "Promise" ? " (await it)" : ""}`;
  const names = Object.keys(value);
  return names.length === 0 ? "{}" : `an object of ${names.slice(0, 6).join(", ")}`;
}
