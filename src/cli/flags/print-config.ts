import type { Command } from "commander";
import type { Option, Options } from "../../settings/option.ts";
import { ofForward } from "../../train/settings/estimator.ts";
import { print } from "../output.ts";
import { withAdapter } from "./adapter-flags.ts";
import { dataBeside } from "./config-file.ts";
import { resolvedData } from "./setting-flags.ts";
import type { GivenTrainFlags, TrainFlags } from "./training-command.ts";

/** Prints what the flags and the file ask for, defaults included, as a file that asks for the same run. */
export function printConfig(
  command: Command,
  settings: Options,
  flags: GivenTrainFlags & Pick<TrainFlags, "settings">,
): void {
  const data = withAdapter(flags.settings, flags);
  const { adapter, target, ...own } = dataBeside(command, settings, flags);
  const { resume, overwrite, allowChanges, ...resolved } = resolvedData(readBy(data, settings), data);
  const column = flags.data === "csv" && target !== undefined ? { target } : {};
  print(...JSON.stringify({ ...own, ...column, ...resolved }, undefined, 2).split("\n"));
}

/** The settings that a run of these reads. */
function readBy({ gradient }: TrainFlags["settings"], settings: Options): Options {
  const entries: readonly (readonly [string, Option])[] = Object.entries(settings);
  const isRead = (name: string) => gradient !== "exact" || !(ofForward as readonly string[]).includes(name);
  return Object.fromEntries(entries.filter(([name]) => isRead(name)));
}
