/** A setting whose values have names and options of their own. */
import { SettingError } from "../errors/errors.ts";
import { option as mention, type Words, words } from "../errors/words.ts";
import { shown } from "./check.ts";
import { elsewhere } from "./elsewhere.ts";
import type { Identity, Maker, NamedData, Registry } from "./named.ts";
import { nearest } from "./nearest.ts";
import { type Elsewhere, isObject, type Option, oneOf } from "./option.ts";

/** What makes an object one of a kind: its parts, and what each must be. */
export type Parts = Readonly<Record<string, (part: unknown) => boolean>>;

export const isFunction = (part: unknown): boolean => typeof part === "function";

/** A setting whose values are chosen by name: one of a registry, in any of its forms, or an object of the user's own. */
export interface NamedSetting<All extends Registry, Made extends Identity>
  extends Option<NamedData<All, Made> | Made, (keyof All & string) | undefined> {
  readonly registry: All;
  /** The thing that was chosen, in whichever form. @throws SettingError */
  readonly choose: (value: unknown) => Made;
}

/** @param name of the setting: "optimizer" */
export function namedSetting<const All extends Registry, Made extends Identity>(
  name: string,
  registry: All,
  described: {
    readonly help: string;
    readonly parts: Parts;
    readonly default?: keyof All & string;
    readonly elsewhere?: Elsewhere;
  },
): NamedSetting<All, Made> {
  const names = Object.keys(registry);
  const setting: Option<NamedData<All, Made> | Made, (keyof All & string) | undefined> = {
    kind: "choice",
    names,
    expected: `${oneOf(names)}, or an object`,
    accepts: (value): value is NamedData<All, Made> | Made => choose(value) !== undefined,
    default: described.default,
    help: described.help,
    elsewhere: described.elsewhere,
  };
  const choose = (value: unknown): Made => {
    if (typeof value === "string") return make(value, {});
    if (!isObject(value)) throw none(`received ${shown(value)}${isMaker(value) ? "; call it, with ()" : ""}`);
    const { name: own, ...given } = value;
    if (own === undefined) refuseForeign(undefined, given);
    // Options alone: data, even where they are all that makes the thing.
    if (
      typeof own === "string" &&
      Object.hasOwn(registry, own) &&
      Object.keys(given).every((option) => Object.hasOwn(registry[own]?.options ?? {}, option))
    )
      return make(own, given);
    const missing = Object.entries(described.parts).find(([part, fits]) => !fits(value[part]));
    if (!missing && typeof own === "string") return value as unknown as Made;
    if (typeof own !== "string") throw none(`received ${shown(value)} without a name`);
    if (Object.hasOwn(registry, own)) return make(own, given);
    const [near] = nearest(own, names);
    const hint = near === undefined ? "" : ` Did you mean ${JSON.stringify(near)}?`;
    throw none(`received an object named ${shown(own)} without '${missing?.[0]}'`, hint);
  };
  const make = (own: string, given: Readonly<Record<string, unknown>>): Made => {
    if (!Object.hasOwn(registry, own)) {
      const near = nearest(own, names);
      const hint = near[0] === undefined ? "" : ` Did you mean ${JSON.stringify(near[0])}?`;
      throw none(`received ${shown(own)}`, elsewhere(setting, own) ?? hint, near);
    }
    refuseForeign(own, given);
    return (registry[own] as unknown as (given: object) => Made)(given);
  };
  /** Options of others of the registry are named with whom they belong to. */
  const refuseForeign = (own: string | undefined, given: Readonly<Record<string, unknown>>) => {
    const taken = own === undefined ? {} : (registry[own]?.options ?? {});
    for (const [option, received] of Object.entries(given)) {
      if (received === undefined || Object.hasOwn(taken, option)) continue;
      const owners = names.filter((each) => Object.hasOwn(registry[each]?.options ?? {}, option));
      if (owners[0] === undefined) continue;
      const value = ["string", "number", "boolean"].includes(typeof received)
        ? (received as string | number | boolean)
        : undefined;
      const what = mention(`${name}.${option}`, value);
      throw new SettingError(
        words`${what} ${own === undefined ? "" : `is no option of ${own}; it `}belongs to ${listed(owners)}: leave it
          out, or choose ${mention(name, owners[0])}.`,
        { option: `${name}.${option}`, neighbours: owners.map((owner) => JSON.stringify(owner)) },
      );
    }
  };
  const none = (received: string, hint: string | Words = "", neighbours: readonly string[] = []) =>
    new SettingError(
      words`${mention(name)} must be ${oneOf(names)}, by name or as an object such as ${example(registry)},
        ${received}.${hint}`,
      { option: name, neighbours },
    );
  const isMaker = (value: unknown) => Object.values(registry).includes(value as Maker<unknown>);
  return { ...setting, registry, choose };
}

/** "adam and adamw" */
function listed(names: readonly string[]): string {
  return names.length < 2 ? names.join() : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}

/** One of the registry as data, with an option where there is one. */
function example(registry: Registry): string {
  const [name = "", maker] =
    Object.entries(registry).find(([, { options }]) => Object.keys(options).length > 0) ??
    Object.entries(registry)[0] ??
    [];
  const [option] = Object.keys(maker?.options ?? {});
  return option === undefined ? `{ name: "${name}" }` : `{ name: "${name}", ${option}: … }`;
}
