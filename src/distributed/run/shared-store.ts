/** A run's files where all participants reach them: newcomers begin from its checkpoints, and whoever goes on when a coordinator is gone. */
import { ForwardgradError, StorageError } from "../../errors/errors.ts";
import { checkpointFiles } from "../../storage/own-files.ts";
import { type RunStore, readFilled } from "../../storage/run-store.ts";
import { loadRunCheckpoint } from "../../train/run-state-schema.ts";
import type { Objects } from "../transport.ts";
import { TransportError } from "../transport-error.ts";

/** Names of objects that are a run's files. */
const prefix = "file ";

/** A store of shared objects. Lines of metrics wait for the next checkpoint, which alone counts on them. */
export function sharedStore(objects: Objects): RunStore {
  const waiting = new Map<string, Uint8Array>();
  const read = async (name: string) => waiting.get(name) ?? (await objects.get(prefix + name));
  return {
    describe: "the run's shared files",
    read,
    async write(name, bytes) {
      for (const [other, lines] of waiting) if (other !== name) await objects.put(prefix + other, lines);
      waiting.clear();
      await objects.put(prefix + name, bytes);
    },
    async append(name, text) {
      const [before, added] = [(await read(name)) ?? new Uint8Array(), new TextEncoder().encode(text)];
      const whole = new Uint8Array(before.length + added.length);
      whole.set(before);
      whole.set(added, before.length);
      waiting.set(name, whole);
    },
    async truncate(name, length) {
      const before = await read(name);
      if (before && before.length > length) waiting.set(name, before.slice(0, length));
    },
    async remove(name) {
      waiting.delete(name);
      for (const file of await objects.names())
        if (file === prefix + name || file.startsWith(`${prefix}${name}/`)) await objects.remove(file);
    },
  };
}

/** A store of one's own whose files are shared as well. Where there is no more room for shared ones, the own ones go on. */
export interface MirroredStore extends RunStore {
  /** Whether the newest checkpoint is shared. */
  isShared(): boolean;
}

export function mirroredStore(local: RunStore, shared: RunStore): MirroredStore {
  let isShared = true;
  const share = async (write: () => Promise<void>) => {
    try {
      await write();
      isShared = true;
    } catch (error) {
      if (!(error instanceof TransportError) || error.reason !== "full") throw error;
      isShared = false;
    }
  };
  return {
    isShared: () => isShared,
    describe: local.describe,
    read: (name) => local.read(name),
    async write(name, bytes) {
      await local.write(name, bytes);
      await share(() => shared.write(name, bytes));
    },
    async append(name, text) {
      await local.append(name, text);
      await share(() => shared.append(name, text));
    },
    async truncate(name, bytes) {
      await local.truncate(name, bytes);
      await share(() => shared.truncate(name, bytes));
    },
    ...(local.lock && { lock: () => local.lock?.() as Promise<() => Promise<void>> }),
    async remove(name) {
      await (local.remove ? local.remove(name) : local.write(name, new Uint8Array()));
      await share(async () => shared.remove?.(name));
    },
  };
}

/**
 * Brings a run that goes on to where it is missing: here, where this store has no checkpoint of it, or to all others.
 *
 * @param isRepeated whether the log repeats what a checkpoint does not have yet. Otherwise the newer one counts
 */
export async function bringTogether(local: RunStore, shared: RunStore, isRepeated: boolean): Promise<void> {
  const isHere = await hasCheckpoint(local);
  const isThere = await hasCheckpoint(shared);
  if (!isHere && !isThere) return;
  const isBehind = isHere && isThere && !isRepeated && (await stepOf(local)) < (await stepOf(shared));
  const [from, to] = isHere && !isBehind ? [local, shared] : [shared, local];
  // Metrics before the checkpoints that count on them, and the configuration last.
  for (const name of ["metrics.jsonl", ...checkpointFiles, "config.json"]) {
    const bytes = await readFilled(from, name);
    if (bytes) await to.write(name, bytes);
  }
}

/** The step of a store's newest checkpoint, and a half more where the run is complete there; −1 where it is damaged. */
async function stepOf(store: RunStore): Promise<number> {
  try {
    const { state } = (await loadRunCheckpoint(store)) ?? {};
    return state ? state.step + (state.result === undefined ? 0 : 0.5) : -1;
  } catch {
    return -1;
  }
}

async function hasCheckpoint(store: RunStore): Promise<boolean> {
  for (const name of checkpointFiles) if (await readFilled(store, name)) return true;
  return false;
}

/** The newest checkpoint that is shared; undefined where there is none yet, or one is written just now. */
export async function readCheckpoint(objects: Objects) {
  try {
    return await loadRunCheckpoint(sharedStore(objects));
  } catch (error) {
    // Written just now, or damaged: the next one will do.
    if (error instanceof StorageError || error instanceof ForwardgradError) return undefined;
    throw error;
  }
}
