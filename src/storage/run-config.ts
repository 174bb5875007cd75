/** A run's configuration in its store: claimed, compared, or refused. */
import * as z from "zod/mini";
import { SettingError, StorageError } from "../errors/errors.ts";
import { joined, option, type Words, words } from "../errors/words.ts";
import { bytesOf } from "../onnx/tensor.ts";
import { type Config, flattened } from "../settings/config.ts";
import { ownFiles, type RunKind } from "./own-files.ts";
import { type ReadableRun, type RunStore, readFilled, removeFile } from "./run-store.ts";
import { sha256 } from "./sha256.ts";

/** Plain description of a run, kept as config.json; two runs with equal configurations compute the same. */
export type RunConfig = Config;

/** Settings that change last bits but not what is computed; a resumed run may change them when told. */
const reproducibility = new Set(["threads", "tangentChunk", "runtime"]);

/** How to take a store that may hold something already. */
export interface ClaimOptions {
  /** Goes on with the run in the store. */
  readonly resume?: boolean;
  /** Replaces what is there: the files of the run that the store holds, and files with the names of this run's. */
  readonly overwrite?: boolean;
  /** Lets a resumed run differ in what changes no more than last bits. */
  readonly allowChanges?: boolean;
  /** The configuration as the checkpoint has it: it must be this run's, and stands in for a lost or damaged config.json. */
  readonly spare?: RunConfig;
  /** This run as who wrote a configuration would have described it. Default: as it is described now. */
  readonly asBefore?: (kept: RunConfig) => Promise<RunConfig>;
}

export interface Claim {
  /** True when the store holds this run already. */
  readonly isOld: boolean;
  readonly warnings: readonly Words[];
  /** Makes the store this run's. Until then, nothing in it is changed. */
  take(): Promise<void>;
}

/**
 * The question that can be answered before a run is known.
 *
 * @throws StorageError when the store holds a run that is neither to go on nor to be replaced
 */
export async function refuseHeldStore(
  store: RunStore,
  { resume = false, overwrite = false }: ClaimOptions,
): Promise<void> {
  if (!resume && !overwrite && (await readConfig(store)).config) throw heldStore(store);
}

/**
 * Compares a run's configuration with the one in its store.
 *
 * @throws when the store holds another run, or holds this one and `resume` is not set, or holds files of a run's names that
 * nothing accounts for
 */
export async function claimStore(
  store: RunStore,
  kind: RunKind,
  config: RunConfig,
  options: ClaimOptions,
): Promise<Claim> {
  const { resume = false, overwrite = false, allowChanges = false, spare, asBefore } = options;
  const comparable = async (kept: RunConfig) => (asBefore ? asBefore(kept) : config);
  const write = () =>
    store.write("config.json", new TextEncoder().encode(`${JSON.stringify(config, undefined, 2)}\n`));
  if (overwrite && resume) {
    throw new SettingError(
      words`${option("overwrite", true)} discards what ${option("resume", true)} goes on with; choose one of them.`,
      { option: "overwrite" },
    );
  }
  const { config: kept, problem } = await readConfig(store);
  if (overwrite) {
    const names = [...new Set([...(kept ? ownFiles[kindOf(kept)] : []), ...ownFiles[kind]])];
    return {
      isOld: false,
      warnings: [],
      async take() {
        // config.json goes last: until then, the next try knows what to remove.
        for (const name of names.toReversed()) await removeFile(store, name);
        await write();
      },
    };
  }
  if (kept && !resume) throw heldStore(store);
  if (kept) {
    const hasChanged = requireSame(store, kept, await comparable(kept), allowChanges);
    const isOlder = kept.format !== config.format;
    // A checkpoint tells which run wrote it. What may change may have changed since.
    if (spare) requireSame(store, spare, await comparable(spare), true, "a checkpoint of another run");
    return { isOld: true, warnings: [], take: async () => (hasChanged || isOlder ? write() : undefined) };
  }
  const lying = await presentFiles(store, kind);
  if (!problem && lying.length === 0) return { isOld: false, warnings: [], take: write };
  if (!spare || !resume) throw unaccounted(store, problem, lying, spare);
  requireSame(store, spare, await comparable(spare), allowChanges);
  const fault = problem ?? `${store.describe}/config.json is missing.`;
  return {
    isOld: true,
    warnings: [words`${fault} It was written again as the checkpoint has it.`],
    take: write,
  };
}

/** The configuration in a store, where it can be read. */
export async function keptConfig(store: ReadableRun): Promise<RunConfig | undefined> {
  return (await readConfig(store)).config;
}

function heldStore(store: RunStore): StorageError {
  return new StorageError(
    words`${store.describe} already holds a run. Go on with it (${option("resume", true)}), choose another folder
        (${option("store")}), or discard what it holds (${option("overwrite", true)}).`,
    { path: store.describe },
  );
}

/** @returns whether settings differ that may; @throws where others do */
function requireSame(
  store: RunStore,
  keptConfig: RunConfig,
  config: RunConfig,
  allowChanges: boolean,
  what = "a run with other settings",
): boolean {
  const [kept, now] = [flattened(keptConfig), flattened(config)];
  const changed = Object.keys({ ...kept, ...now }).filter(
    (name) => (kept[name] ?? null) !== (now[name] ?? null),
  );
  const fatal = changed.filter((name) => !(allowChanges && reproducibility.has(name)));
  if (fatal.length === 0) return changed.length > 0;
  const list = joined(
    causes(fatal, kept, now).map((name) => words`${option(name)} was ${difference(kept[name], now[name])}`),
    "; ",
  );
  const remedy = fatal.every((name) => reproducibility.has(name))
    ? words`The result could differ in its last bits: use the same settings, or say ${option("allowChanges", true)}.`
    : words`Use the same settings, or choose another folder (${option("store")}).`;
  throw new StorageError(words`${store.describe} holds ${what}: ${list}. ${remedy}`, {
    path: store.describe,
  });
}

type Values = ReturnType<typeof flattened>;

/** What follows from other settings where it is not given itself. */
const following = ["tangentChunk", "learningRate", "steps", "validation", "shapes", "parameters"];

/** What the user changed first, then what may only follow from it; a chunk of all tangents does. */
function causes(changed: readonly string[], kept: Values, now: Values): string[] {
  const isAll = (values: Values) => values.tangentChunk === values.tangents;
  const isShown = (name: string) =>
    name !== "tangentChunk" || !changed.includes("tangents") || !isAll(kept) || !isAll(now);
  const shown = changed.filter(isShown);
  return [
    ...shown.filter((name) => !following.includes(name)),
    ...shown.filter((name) => following.includes(name)),
  ];
}

/** "16, now 8"; of hashes, that it is another. */
function difference(before: Values[string] = null, after: Values[string] = null): string {
  const isHash = (value: Values[string]) => typeof value === "string" && /^[0-9a-f]{64}$/.test(value);
  if (isHash(before) && isHash(after)) return "another";
  const [was, is] = [before, after].map((value) => (isHash(value ?? null) ? "given" : (value ?? "unset")));
  return `${was}, now ${is}`;
}

const schema = z.record(z.string(), z.json());

/** The configuration in a store, or what is wrong with it; neither where there is none. */
async function readConfig(
  store: ReadableRun,
): Promise<{ readonly config?: RunConfig; readonly problem?: string }> {
  const bytes = await readFilled(store, "config.json");
  if (!bytes) return {};
  const path = `${store.describe}/config.json`;
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    return { problem: `${path} is damaged, or not this program's (${(cause as Error).message}).` };
  }
  const parsed = schema.safeParse(value);
  const isOurs =
    parsed.success &&
    ("study" in parsed.data || ["model", "data", "runtime"].every((name) => name in parsed.data));
  return isOurs
    ? { config: parsed.data }
    : { problem: `${path} was not written by this program: it does not describe a run.` };
}

function kindOf(config: RunConfig): RunKind {
  return "study" in config ? "study" : "search" in config ? "search" : "train";
}

/** Files in the store that have the names of this kind's. */
async function presentFiles(store: RunStore, kind: RunKind): Promise<string[]> {
  const found: string[] = [];
  for (const name of ownFiles[kind]) {
    if (name === "config.json") continue;
    try {
      if (await readFilled(store, name)) found.push(name);
    } catch {
      // A folder, a link that leads nowhere, or what else cannot be read.
      found.push(name);
    }
  }
  return found;
}

function unaccounted(
  store: RunStore,
  problem: string | undefined,
  lying: readonly string[],
  spare: RunConfig | undefined,
): Error {
  const rescue = spare
    ? words` The checkpoint has the configuration as well: the same run with ${option("resume", true)} goes on.`
    : lying.includes("model.onnx")
      ? " model.onnx, if it is a run's, can be used as it is."
      : "";
  const what =
    problem ??
    `${store.describe} holds a ${lying.join(", ")} but no config.json that tells which run wrote it.`;
  const also = problem && lying.length > 0 ? ` Beside it: ${lying.join(", ")}.` : "";
  return new StorageError(
    words`${what}${also}${rescue} Restore it, choose another folder (${option("store")}), or replace these files
      (${option("overwrite", true)}).`,
    { path: store.describe },
  );
}

/** SHA-256 of some data, in hexadecimal. */
export async function fingerprint(
  ...parts: readonly (Uint8Array | Float32Array | Int32Array)[]
): Promise<string> {
  const hashes = await Promise.all(parts.map((part) => crypto.subtle.digest("SHA-256", bytesOf(part))));
  const joined = Uint8Array.from(hashes.flatMap((hash) => [...new Uint8Array(hash)]));
  return sha256(joined);
}
