import { readFileSync } from "node:fs";
import type { Command, Option as Flag } from "commander";
import { SettingError } from "../../errors/errors.ts";
import { checkOptions } from "../../settings/check.ts";
import { isObject, type Options } from "../../settings/option.ts";
import { newName } from "../../train/settings/resolve.ts";
import { asOptions, camel, flagsOf, overlaid, type SettingData, settingsFrom } from "./setting-flags.ts";

/** Flags that say how a command is used, not what it does. */
const ofUse = ["config", "printConfig", "json", "resume", "overwrite", "allowChanges", "help"];

/**
 * What a command is to do: its configuration file, and the flags on top. Settings are under the library's names, all else
 * under its flags' names.
 *
 * @returns flags that are no settings, as they were parsed, and the settings as data
 * @throws SettingError that names the file and the option
 */
export function configured<Flags extends { readonly config?: string }>(
  command: Command,
  settings: Options,
  flags: Flags,
): Flags & { readonly settings: SettingData } {
  const file = flags.config === undefined ? {} : readConfig(flags.config);
  const ownFlags = flagsBeside(command, settings);
  const own: Record<string, unknown> = {};
  const below: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(file)) {
    const flag = ownFlags.find((each) => each.attributeName() === name);
    if (isPlain(settings, name) && !(flag && typeof value === "string")) below[name] = value;
    else if (flag) {
      if (command.getOptionValueSource(name) !== "cli") own[name] = valueIn(flag, value, `${flags.config}`);
    } else throw unknownIn(`${flags.config}`, name, value, settings, ownFlags);
  }
  checkFile(`${flags.config}`, settings, below as SettingData);
  if (isObject(below.adapter)) below.adapter = { ...below.adapter, asked: true };
  const given = { ...flags, ...own };
  return {
    ...given,
    settings: overlaid(
      settings,
      below as SettingData,
      settingsFrom(settings, flags as object as Record<string, unknown>),
    ),
  };
}

/** Whether a setting can be written in a file; a model, for example, cannot, and --model means another thing. */
function isPlain(settings: Options, name: string): boolean {
  const option = Object.hasOwn(settings, name) ? settings[name] : undefined;
  return option !== undefined && (option.kind !== "value" || option.parts !== undefined);
}

/** The flags that are no settings, and what they say, as a configuration file has it. */
export function dataBeside(command: Command, settings: Options, flags: object): SettingData {
  const values = flags as Readonly<Record<string, unknown>>;
  const entries = flagsBeside(command, settings).map((flag) => [
    flag.attributeName(),
    values[flag.attributeName()],
  ]);
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined)) as SettingData;
}

function flagsBeside(command: Command, settings: Options): Flag[] {
  const ofSettings = new Set(flagsOf(settings).map(({ flag }) => camel(flag)));
  return command.options.filter(
    (flag) => !ofSettings.has(flag.attributeName()) && !ofUse.includes(flag.attributeName()),
  );
}

function readConfig(path: string): Readonly<Record<string, unknown>> {
  let content: unknown;
  try {
    // Editors on Windows begin a file with a mark of its byte order.
    content = JSON.parse(readFileSync(path, "utf8").replace(/^\uFEFF/, ""));
  } catch (cause) {
    throw new SettingError(`${path} cannot be read as JSON: ${(cause as Error).message}.`, {
      option: "config",
      cause,
    });
  }
  if (isObject(content)) return content;
  throw new SettingError(`${path} holds no object of options; expected for example { "tangents": 32 }.`, {
    option: "config",
  });
}

/** @throws SettingError for settings of the wrong kind or out of range */
function checkFile(path: string, settings: Options, data: SettingData): void {
  try {
    checkOptions(settings, asOptions(settings, data), { of: path });
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const option = error instanceof SettingError ? error.option : "config";
    const message = error.message.startsWith(path) ? error.message : `${path}: ${error.message}`;
    throw new SettingError(message, { option, cause: error });
  }
}

/** A flag's value as it would be parsed from the text of a command line. */
function valueIn(flag: Flag, value: unknown, path: string): unknown {
  if (typeof value === "boolean" && !flag.required) return value;
  const parse = (text: string, before?: unknown) => (flag.parseArg ? flag.parseArg(text, before) : text);
  try {
    return textsOf(value).reduce<unknown>((before, text) => parse(text, before), undefined);
  } catch (cause) {
    throw new SettingError(`${path}: ${flag.attributeName()}: ${(cause as Error).message}`, {
      option: flag.attributeName(),
      cause,
    });
  }
}

/** A value as texts of a command line: one, or one for each entry. */
function textsOf(value: unknown): string[] {
  if (Array.isArray(value)) return [value.join(",")];
  if (!isObject(value)) return [String(value)];
  if ("height" in value) return [`${value.height}x${value.width}`];
  return Object.entries(value).map(([name, each]) => `${name}=${each}`);
}

function unknownIn(
  path: string,
  name: string,
  value: unknown,
  settings: Options,
  flags: readonly Flag[],
): SettingError {
  const names = Object.fromEntries(flags.map((flag) => [flag.attributeName(), settings.seed]));
  try {
    const all = { ...names, ...settings } as Options;
    checkOptions(all, { [name]: value }, { of: path, advice: (each) => newName(each, value, settings) });
  } catch (error) {
    if (error instanceof SettingError) return error;
  }
  return new SettingError(`${path} has an option that is none: '${name}'.`, { option: name });
}
