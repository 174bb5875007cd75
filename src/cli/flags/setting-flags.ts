/** From the description of settings to flags, and from flags to settings. */
import { type Command, Option as Flag, InvalidArgumentError } from "commander";
import { type ConfigValue, configOf } from "../../settings/config.ts";
import type { Identity, Registry } from "../../settings/named.ts";
import type { NamedSetting } from "../../settings/named-setting.ts";
import { nearest } from "../../settings/nearest.ts";
import type { Option, Options } from "../../settings/option.ts";

/** The flags of a run's settings, made from their descriptions: a new option needs nothing here. */

/** Settings as plain data: what a JSON file holds, and what flags say. */
export interface SettingData {
  readonly [name: string]: ConfigValue | undefined;
}

/** A flag, and the setting that it sets. */
export interface SettingFlag {
  /** Without dashes: "track-quality". */
  readonly flag: string;
  /** The setting: ["quality", "every"]. */
  readonly path: readonly [string] | readonly [string, string];
  /** Its description; one for each of the things of a registry that take it. */
  readonly options: readonly { readonly owner?: string; readonly option: Option }[];
}

/** All flags of some settings. */
export function flagsOf(settings: Options): SettingFlag[] {
  const found = new Map<string, SettingFlag>();
  const add = (path: SettingFlag["path"], option: Option, owner?: string) => {
    const { kind, flag: spelled = kebab(path.at(-1) as string) } = option;
    if (spelled === false || kind === "value") return;
    const before = found.get(path.join(".")) ?? { flag: spelled, path, options: [] };
    found.set(path.join("."), { ...before, options: [...before.options, { owner, option }] });
  };
  for (const [name, option] of Object.entries(settings)) {
    add([name], option);
    for (const [part, each] of Object.entries(option.parts ?? {})) add([name, part], each);
    for (const [owner, { options }] of Object.entries(registryOf(option)))
      for (const [part, each] of Object.entries(options)) add([name, part], each, owner);
  }
  return [...found.values()];
}

/** The flag that somebody may have meant: by the setting's name, by one that it has elsewhere, or the nearest. */
export function meantFlag(settings: Options, unknown: string): string | undefined {
  const given = unknown.replace(/^-+/, "");
  const spelled = flagsOf(settings).flatMap(({ flag, path, options }) =>
    [
      flag,
      path.at(-1) ?? "",
      ...options.flatMap(({ option: { was = [], known = [] } }) => [...was, ...known]),
    ].map((name) => [kebab(name), flag] as const),
  );
  const begun = spelled.filter(([name]) => name.length > 3 && given.startsWith(name));
  const [near] = nearest(
    given,
    spelled.map(([name]) => name),
  );
  const found =
    spelled.find(([name]) => name === given) ?? begun[0] ?? spelled.find(([name]) => name === near);
  return found && `--${found[1]}`;
}

/** Adds the flags of settings to a command; what is said nowhere stays undefined. */
export function addSettingFlags(
  command: Command,
  settings: Options,
  remarks: Readonly<Record<string, string>> = {},
): Command {
  for (const setting of flagsOf(settings)) {
    const flag = flagFor(setting);
    const remark = remarks[setting.path.join(".")];
    if (remark !== undefined) flag.description += `; ${remark}`;
    command.addOption(flag);
  }
  return command;
}

/** What the flags of a command say, as data. */
export function settingsFrom(settings: Options, given: Readonly<Record<string, unknown>>): SettingData {
  let data: SettingData = {};
  for (const { flag, path, options } of flagsOf(settings)) {
    const value = given[camel(flag)] as ConfigValue | undefined;
    // A flag that is not given is false where it takes no value.
    if (value === undefined) continue;
    const [name, part] = path;
    const isNamed = part === undefined && options.some(({ option }) => "registry" in option);
    const before = (data[name] ?? {}) as SettingData;
    data = {
      ...data,
      [name]: isNamed
        ? { ...before, name: value }
        : part === undefined
          ? value
          : { ...before, [part]: value },
    } as SettingData;
  }
  return data;
}

/** Flags win over what was there; options of a thing hold for no other one. */
export function overlaid(settings: Options, below: SettingData, above: SettingData): SettingData {
  const merged = Object.entries(above).map(([name, value]) => {
    const under = asData(settings[name], below[name]);
    if (!isData(value)) return [name, value] as const;
    const { default: standard } = settings[name] ?? {};
    const chosen = value.name ?? under.name ?? standard;
    const isOther = value.name !== undefined && value.name !== (under.name ?? standard);
    const kept = isOther ? {} : under;
    const parts = registryOf(settings[name])[String(chosen)]?.options ?? {};
    const all = Object.fromEntries(
      Object.entries({ ...kept, ...value }).map(([part, each]) => [
        part,
        withOptions(parts[part], kept[part], each),
      ]),
    );
    return [
      name,
      "registry" in (settings[name] ?? {}) && chosen !== undefined ? { ...all, name: chosen } : all,
    ] as const;
  });
  return { ...below, ...Object.fromEntries(merged) } as SettingData;
}

/** What a flag chooses by name keeps the options that it had below under that name, or under none. */
function withOptions(
  option: Option | undefined,
  below: ConfigValue | undefined,
  above: ConfigValue | undefined,
): ConfigValue | undefined {
  if (!option || !("registry" in option) || typeof above !== "string" || !isData(below)) return above;
  return below.name === undefined || below.name === above ? { ...below, name: above } : above;
}

/** Data as the library takes it: patterns instead of their texts. @throws SettingError for a text that is no pattern */
export function asOptions(settings: Options, data: SettingData): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(data).map(([name, value]) => [name, asOption(settings[name], value)]),
  );
}

function asOption(option: Option | undefined, value: ConfigValue | undefined): unknown {
  if (!option || value === undefined) return value;
  if (option.kind === "pattern" && typeof value === "string") return new RegExp(value);
  if (option.kind === "names" && typeof value === "string") {
    const pattern = new RegExp(value);
    return (name: string) => pattern.test(name);
  }
  if (!isData(value)) return value;
  const own = registryOf(option)[String(value.name)]?.options ?? option.parts;
  return own ? asOptions(own, value) : value;
}

/** Settings with the defaults of the rest, as data that gives the same run. */
export function resolvedData(settings: Options, data: SettingData): SettingData {
  const entries = Object.entries(settings).map(([name, option]) => {
    const value = data[name] ?? (option.default as ConfigValue | undefined);
    if (value === undefined) return [name, undefined] as const;
    if ("registry" in option) {
      const { choose } = option as unknown as NamedSetting<Registry, Identity>;
      const { name: chosen, config = {} } = choose(asOption(option, value));
      return [name, { name: chosen, ...given(config), ...(isData(value) ? value : {}) }] as const;
    }
    if (option.parts && isData(value)) {
      const defaults = Object.entries(option.parts).map(([part, each]) => [part, each.default] as const);
      return [name, { ...given(configOf(Object.fromEntries(defaults))), ...value }] as const;
    }
    return [name, value] as const;
  });
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined)) as SettingData;
}

function given(data: SettingData): SettingData {
  return Object.fromEntries(Object.entries(data).filter(([, value]) => value !== null));
}

function flagFor({ flag, options }: SettingFlag): Flag {
  const [{ option } = {}] = options;
  if (!option) throw new Error(`--${flag} has no description.`);
  const owners = options.flatMap(({ owner }) => (owner === undefined ? [] : [owner]));
  const whose = owners.length > 0 ? `${owners.join(", ")}: ` : "";
  const made = new Flag(
    option.kind === "toggle" ? `--${flag}` : `--${flag} <${placeholder(option)}>`,
    `${whose}${option.help}${choices(option)}${standard(options)}`,
  );
  if (option.kind === "toggle") return made;
  if (option.kind === "numbers")
    return made.argParser((text: string, before) => collected(option, text, before));
  return made.argParser((text: string) => parsed(option, text));
}

function choices({ kind, names = [] }: Option): string {
  return kind === "choice" ? ` (${names.join(", ")})` : "";
}

/** " (default: 16)" */
function standard(options: SettingFlag["options"]): string {
  const texts = options.map(({ option }) => option.otherwise ?? textOf(option.default));
  const known = options.flatMap(({ owner = "" }, index) =>
    texts[index] ? [`${owner} ${texts[index]}`] : [],
  );
  if (known.length === 0) return "";
  const isOne = new Set(texts).size === 1;
  return ` (default: ${isOne ? texts[0] : known.join(", ")})`;
}

function textOf(value: unknown): string {
  return value === undefined || value === false ? "" : String(value);
}

/** What stands for a flag's value in its help. */
export function placeholder({ kind, names = [] }: Option): string {
  if (kind === "whole") return "n";
  if (kind === "number") return names.length > 0 ? "x" : "x";
  if (kind === "pattern" || kind === "names") return "regex";
  return kind === "numbers" ? "name=x" : "name";
}

/** The value of a flag's text. @throws InvalidArgumentError */
function parsed(option: Option, text: string): ConfigValue {
  const { kind, names = [] } = option;
  if (kind === "pattern" || kind === "names") return patternText(text);
  const value = kind === "whole" || kind === "number" ? numberIn(text, names) : text;
  const isFine = "registry" in option ? names.includes(text) : option.accepts(value);
  if (isFine) return value;
  const [near] = nearest(text, names);
  const [other, meant] = option.elsewhere?.[text] ?? [];
  const hint = other ? `Choose --${kebab(other)} ${meant} instead. ` : near ? `Did you mean ${near}? ` : "";
  throw new InvalidArgumentError(
    kind === "choice" ? `${hint}Allowed values: ${names.join(", ")}.` : `${hint}Expected ${option.expected}.`,
  );
}

/** A number, or a word in its place. */
function numberIn(text: string, words: readonly string[]): ConfigValue {
  return words.includes(text) || text.trim() === "" ? text : Number(text);
}

function patternText(text: string): string {
  try {
    return new RegExp(text) && text;
  } catch (error) {
    throw new InvalidArgumentError(`Expected a regular expression: ${(error as Error).message}.`);
  }
}

/** NAME=NUMBER, collected. */
function collected(option: Option, text: string, before: unknown): ConfigValue {
  const isWord = option.names?.includes(text) === true;
  if (typeof before === "string" || (isWord && before !== undefined))
    throw new InvalidArgumentError(
      `${isWord ? text : before} is said of all names; leave it out, or the others.`,
    );
  if (isWord) return text;
  const split = text.lastIndexOf("=");
  const number = text.slice(split + 1);
  const entry = { [text.slice(0, Math.max(split, 0))]: number.trim() === "" ? Number.NaN : Number(number) };
  if (split < 1 || !option.accepts(entry) || !Number.isFinite(Number(number))) {
    const example = option.expected.startsWith("whole")
      ? "NAME=N, for example sequence=128"
      : "NAME=NUMBER, for example attention_mask=1";
    throw new InvalidArgumentError(`Expected ${example}.`);
  }
  return { ...(typeof before === "object" ? (before as Record<string, number>) : undefined), ...entry };
}

function registryOf(option: Option | undefined): Registry {
  return option && "registry" in option ? (option.registry as Registry) : {};
}

function asObject(value: ConfigValue | undefined): SettingData {
  if (typeof value === "string") return { name: value };
  return isData(value) ? value : {};
}

/** What was given alone stands for the first part of an object of options. */
function asData(option: Option | undefined, value: ConfigValue | undefined): SettingData {
  const [first] = Object.keys(option?.parts ?? {});
  const isAlone = first !== undefined && value !== undefined && value !== null && !isData(value);
  return isAlone ? { [first]: value } : asObject(value);
}

function isData(value: ConfigValue | undefined): value is Readonly<Record<string, ConfigValue>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** trackQuality → track-quality */
function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** track-quality → trackQuality */
export function camel(flag: string): string {
  return flag.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}
