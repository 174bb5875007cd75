/** A model that a run left: its file, what it was trained with, and the data that its run was tested on. */
import { existsSync, statSync } from "node:fs";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import * as z from "zod/mini";
import type { Examples } from "../../data/dataset.ts";
import { isObject } from "../../settings/option.ts";
import { readIfPresent } from "../../storage/node-files.ts";
import { examplesFingerprint } from "../../train/settings/identity.ts";
import { commandLosses, trainingSettings } from "./chosen-loss.ts";
import type { DatasetChoice } from "./datasets.ts";
import type { SettingData } from "./setting-flags.ts";

const { loss, input, fill, dimensions, output } = trainingSettings;
const trained = { help: "what the model was trained with", otherwise: "what its run or its file says" };

/** The settings that read a trained model. */
export const trainedSettings = {
  loss: { ...loss, ...trained, default: undefined },
  ...{ input, fill, dimensions, output },
};

/** The file of a model that is given as such, or as the folder of the run that trained it. */
export function modelFile(given: string): string {
  return statSync(given, { throwIfNoEntry: false })?.isDirectory() ? join(given, "model.onnx") : given;
}

/** What the run whose folder the model lies in read it with: its loss and inputs; nothing where it lies in none. */
export async function runSettings(file: string): Promise<SettingData> {
  const { loss, ...others } = await runFile(file, "config.json");
  const name = isObject(loss) ? loss.name : loss;
  const isKnown = typeof name === "string" && Object.hasOwn(commandLosses, name);
  const { input, output, fill, dimensions } = others;
  return {
    ...(isKnown && { loss: name }),
    ...(typeof input === "string" && { input }),
    ...(typeof output === "string" && { output }),
    ...(isObject(fill) && { fill: fill as Readonly<Record<string, number>> }),
    ...(isObject(dimensions) && { dimensions: dimensions as Readonly<Record<string, number>> }),
  };
}

/** Where data lie: paths, which a run keeps as seen from its folder, so that both can be moved together. */
const paths = { dataDir: "--data-dir", dataFile: "--data-file", testFile: "--test-file" } as const;
const pathNames = Object.keys(paths) as (keyof typeof paths)[];

const text = z.optional(z.string());
const texts = z.optional(z.array(z.string()));
const flag = z.optional(z.boolean());
const number = z.optional(z.number());
/** The flags that decide which examples a run was tested on. */
const dataFlags = z.object({
  ...{ data: z.string(), dataDir: text, dataFile: text, testFile: text },
  ...{ target: text, ignoreColumns: texts, categorical: texts, header: flag, arrays: texts },
  decimal: z.optional(z.enum(["point", "comma"])),
  ...{ ignoreOrientation: flag, imageSize: z.optional(z.object({ height: z.number(), width: z.number() })) },
  ...{ text, textPair: text, label: text, maxLength: number, testFraction: number, stream: number },
  held: number,
});

/** Data as flags choose them. */
export type DataFlags = Omit<DatasetChoice, "data" | "loss" | "adapter"> & { readonly data?: string };

/** What a run keeps of its data's flags. @param out its folder */
export function keptData(flags: DataFlags, out: string): Readonly<Record<string, unknown>> {
  const seen = (path: string) => relative(resolve(out), resolve(path)).split(sep).join("/");
  const kept: [string, unknown][] = Object.keys(dataFlags.shape).map((name) => {
    const value = flags[name as keyof DataFlags];
    return [name, typeof value === "string" && Object.hasOwn(paths, name) ? seen(value) : value];
  });
  // Of other data it chooses matrices.
  return Object.fromEntries(kept.filter(([name]) => name !== "target" || flags.data === "csv"));
}

/** Data as a command was asked for them, completed by what the model's run says. */
export interface RunData<Flags> {
  readonly flags: Flags;
  /** Whether the run alone says which data they are. */
  readonly isOwn: boolean;
}

/**
 * Completes flags by those of the run whose folder the model lies in, where they are of its kind of data: where data are
 * named, by how they are read; where none are, by the run's own.
 *
 * @throws where the run's own are asked for and no longer where they were
 */
export async function withRunData<Flags extends DataFlags>(
  given: Flags,
  file: string,
): Promise<RunData<Flags>> {
  const read = dataFlags.safeParse((await runFile(file, "report.json")).dataFlags);
  if (!read.success) return { flags: given, isOwn: false };
  const kept = read.data;
  const asked = pathNames.filter((name) => given[name] !== undefined);
  const isOther =
    (given.data !== undefined && given.data !== kept.data) ||
    (given.dataDir !== undefined && kept.dataFile !== undefined) ||
    (given.dataFile !== undefined && (kept.dataFile === undefined || kept.dataDir !== undefined));
  if (isOther) return { flags: given, isOwn: false };
  const own = Object.fromEntries(
    pathNames.flatMap((name) => {
      const path = kept[name];
      return path === undefined ? [] : [[name, resolve(dirname(file), path)]];
    }),
  );
  if (asked.length === 0) requirePaths(own, file);
  const isNamed = Object.keys(dataFlags.shape).some((name) => given[name as keyof Flags] !== undefined);
  // Which columns other tables need, the model says; they need not have those that were left out.
  const left = asked.length > 0 ? ["ignoreColumns", "categorical"] : [];
  const reading = Object.fromEntries(
    Object.entries(kept).filter(([name]) => !Object.hasOwn(paths, name) && !left.includes(name)),
  );
  const named = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  return { flags: { ...reading, ...(asked.length === 0 && own), ...named } as Flags, isOwn: !isNamed };
}

function requirePaths(own: Readonly<Record<string, string>>, file: string): void {
  for (const [name, path] of Object.entries(own)) {
    if (existsSync(path)) continue;
    const asked = Object.keys(own).map(
      (other) => `${paths[other as keyof typeof paths]} ${other === "dataDir" ? "FOLDER" : "FILE"}`,
    );
    throw new Error(
      `${file} was trained on data of which ${path} is no longer there (${paths[name as keyof typeof paths]}); say where they are now: ${asked.join(" ")}.`,
    );
  }
}

/**
 * Holds examples against those that the model's run was tested on.
 *
 * @returns whether they are the same; undefined where no run says it
 */
export async function isTested(file: string, test: Examples): Promise<boolean | undefined> {
  const { test: known } = await runFile(file, "config.json");
  return typeof known === "string" ? known === (await examplesFingerprint(test)) : undefined;
}

/** What a file of the run says in whose folder the model lies; nothing where it lies in none. */
async function runFile(
  file: string,
  name: "config.json" | "report.json",
): Promise<Readonly<Record<string, unknown>>> {
  const bytes = await readIfPresent(join(dirname(file), name));
  if (bytes === undefined || basename(file) !== "model.onnx") return {};
  try {
    const read: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return isObject(read) ? read : {};
  } catch {
    // A file of something else.
    return {};
  }
}
