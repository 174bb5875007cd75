import type { Command } from "commander";
import { SettingError } from "../../errors/errors.ts";
import { option as mention, words } from "../../errors/words.ts";
import { choice } from "./options.ts";
import type { SettingData } from "./setting-flags.ts";

/** Flags of adapters that mean something else without them, or beside other data. */
export interface AdapterFlags {
  readonly adapter?: "lora";
  /** The column to learn of a table; elsewhere, the matrices that get adapters. */
  readonly target?: string;
  readonly data: string;
}

export function addAdapterFlag(command: Command): Command {
  return command.addOption(
    choice("--adapter <kind>", "train low-rank additions to stored matrices alone", ["lora"]),
  );
}

/**
 * Settings with what these flags say: --adapter asks for adapters, --rank is the rank of low-rank tangents without them, and
 * --target chooses matrices where it is no column.
 *
 * @throws SettingError for what only adapters have, where there are none
 */
export function withAdapter(settings: SettingData, { adapter, target, data }: AdapterFlags): SettingData {
  const { adapter: given, ...rest } = settings;
  const parts = typeof given === "object" && given !== null ? (given as SettingData) : {};
  const isFromFile = parts.asked === true;
  if (adapter === undefined && !isFromFile) {
    const { rank, ...others } = parts;
    const [stray] = Object.keys(others);
    if (stray !== undefined) {
      throw new SettingError(
        words`${mention(`adapter.${stray}`)} has no effect without adapters; add ${mention("adapter", "lora")}, or leave it
          out.`,
        { option: `adapter.${stray}` },
      );
    }
    if (rank === undefined) return rest;
    const { sampler = {} } = rest;
    const own = typeof sampler === "string" ? { name: sampler } : (sampler as SettingData);
    return { ...rest, sampler: { rank, ...own } } as SettingData;
  }
  const { asked, ...own } = parts;
  const chosen = target === undefined || data === "csv" ? {} : { target };
  return { ...rest, adapter: { ...chosen, ...own } } as SettingData;
}
