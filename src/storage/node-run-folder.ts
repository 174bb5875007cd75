import { constants, existsSync } from "node:fs";
import { type FileHandle, lstat, open, readdir, rm, rmdir } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { StorageError } from "../errors/errors.ts";
import { option, words } from "../errors/words.ts";
import { checkArgument } from "../settings/check-argument.ts";
import { value } from "../settings/option.ts";
import { countedLock } from "./counted-lock.ts";
import {
  codeOf,
  isMissing,
  makeFolder,
  readIfPresent,
  removeLeftovers,
  writeAtomically,
} from "./node-files.ts";
import { type FolderLock, lockFile, lockFolder } from "./node-folder-lock.ts";
import { ownFiles, unitFiles } from "./own-files.ts";
import type { RunStore } from "./run-store.ts";

const isPath = (given: unknown) => typeof given === "string" && given !== "";

const folderPath = value<string>("the path of a folder", isPath, {});

/**
 * A run's files in a folder. Files are replaced atomically: temporary file, fsync, rename, fsync of the folder. Nothing is
 * written through a link below the folder.
 *
 * @throws SettingError for what is no path; StorageError when the folder cannot be made
 */
export function runFolder(directory: string): RunStore {
  checkArgument("runFolder", folderPath, directory);
  try {
    makeFolder(resolve(directory));
  } catch (cause) {
    throw new StorageError(
      words`The folder '${directory}' cannot be made (${(cause as Error).message}); choose another one
        (${option("store")}).`,
      { path: directory, cause },
    );
  }
  let lock: FolderLock | undefined;
  /** A change of a file, unless the folder was taken over. */
  const change = async (name: string, what: string, act: (path: string) => Promise<void>) => {
    await lock?.check();
    try {
      await act(resolve(directory, name));
    } catch (error) {
      throw failed(directory, name, what, error);
    }
  };
  return {
    describe: directory,
    async read(name) {
      const path = join(directory, name);
      const entry = await lstat(path).catch(() => undefined);
      if (entry && !entry.isFile() && !entry.isSymbolicLink())
        throw new StorageError(
          words`${path} is no regular file; move it away, or choose another folder (${option("store")}).`,
          { path: path },
        );
      const bytes = await readIfPresent(path);
      if (bytes || !entry) return bytes;
      throw new StorageError(
        words`${path} is a link to a file that is missing; restore it, or choose another folder
          (${option("store")}).`,
        { path: path },
      );
    },
    write: (name, bytes) =>
      change(name, "written", async (path) => {
        makeFolder(dirname(path));
        await writeAtomically(path, bytes);
      }),
    append: (name, text) =>
      change(name, "written", async (path) => {
        await withFile(path, constants.O_APPEND | constants.O_CREAT, async (file) => {
          await file.writeFile(text);
          await file.sync();
        });
      }),
    truncate: (name, bytes) =>
      change(name, "cut back", async (path) => {
        try {
          await cutBack(path, bytes);
        } catch (error) {
          if (!isMissing(error) || bytes > 0) throw error;
        }
      }),
    lock: countedLock(async () => {
      const taken = await lockFolder(directory);
      try {
        await refuseLinkedFolders(directory);
      } catch (error) {
        await taken.release();
        throw error;
      }
      lock = taken;
      await removeAllLeftovers(directory);
      return async () => {
        await taken.release();
        lock = undefined;
      };
    }),
    remove: (name) => change(name, "removed", removeOwn),
  };
}

/** Does work in a run folder that nobody else writes to meanwhile. */
export async function inRunFolder<T>(directory: string, work: (store: RunStore) => Promise<T>): Promise<T> {
  const isNew = !existsSync(directory);
  const store = runFolder(directory);
  const release = await store.lock?.();
  try {
    return await work(store);
  } finally {
    await release?.();
    // A command that was refused before it wrote anything leaves nothing behind; a folder with files stays.
    if (isNew) await rmdir(directory).catch(() => undefined);
  }
}

/** Opens a regular file to write, not through a link. */
async function withFile(
  path: string,
  flags: number,
  act: (file: FileHandle) => Promise<void>,
): Promise<void> {
  const { O_WRONLY, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = constants;
  const file = await open(path, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | flags);
  try {
    if (!(await file.stat()).isFile()) throw new Error("it is no regular file");
    await act(file);
  } finally {
    await file.close();
  }
}

async function cutBack(path: string, bytes: number): Promise<void> {
  const { nlink, size } = await lstat(path);
  // A copy of the folder made of hard links, as backups are, keeps what it has.
  if (nlink > 1) {
    const content = await readIfPresent(path);
    return writeAtomically(path, content?.subarray(0, bytes) ?? new Uint8Array());
  }
  if (size > bytes) await withFile(path, 0, (file) => file.truncate(bytes));
}

async function removeAllLeftovers(directory: string): Promise<void> {
  const names = new Set<string>(Object.values(ownFiles).flat());
  for (const folder of new Set(["charts", ...[...names].map(dirname)])) {
    const isOwn = (name: string) => names.has(join(folder, name)) || (folder === "charts" && isChart(name));
    await removeLeftovers(join(directory, folder), isOwn, 0);
  }
}

/**
 * Folders inside of a run's are its own: through a link, another run's files would be replaced.
 *
 * @throws naming the link
 */
async function refuseLinkedFolders(directory: string): Promise<void> {
  const names = Object.values(ownFiles).flat();
  const folders = new Set(["charts", "work", ...names.map(dirname).filter((folder) => folder !== ".")]);
  for (const folder of folders) {
    const entry = await lstat(join(directory, folder)).catch(() => undefined);
    if (entry?.isSymbolicLink())
      throw new StorageError(
        words`${join(directory, folder)} is a link, and nothing is written through links: put the folder itself there,
          or choose another one (${option("store")}).`,
      );
  }
}

/** Removes a file, or of a folder what runs write, and the folders that are then empty. Links are removed, not followed. */
async function removeOwn(path: string): Promise<void> {
  const entry = await lstat(path).catch(() => undefined);
  if (!entry) return;
  if (!entry.isDirectory()) return rm(path);
  const files = [...Object.values(ownFiles).flat(), ...Object.values(unitFiles), lockFile];
  const names = new Set(files.map((name) => basename(name)));
  const isCharts = basename(path) === "charts";
  for (const inside of await readdir(path, { withFileTypes: true }))
    if (inside.isDirectory() || names.has(inside.name) || (isCharts && isChart(inside.name)))
      await removeOwn(join(path, inside.name));
  await rmdir(path).catch(() => undefined);
}

function isChart(name: string): boolean {
  return /\.(svg|vl\.json)$/.test(name);
}

function failed(directory: string, name: string, what: string, cause: unknown): Error {
  const code = codeOf(cause);
  const remedy =
    code === "ENOSPC" || code === "EDQUOT"
      ? words`The disk is full: free some space, then go on with ${option("resume", true)}.`
      : code === "EROFS" || code === "EACCES" || code === "EPERM"
        ? words`The folder cannot be written to: change its permissions or choose another one (${option("store")}).`
        : code === "ELOOP"
          ? words`It is a link, and nothing is written through links: put the file itself there, or choose another
            folder (${option("store")}).`
          : words`Check the folder, then go on with ${option("resume", true)}.`;
  return new StorageError(words`${directory}/${name} could not be ${what} (${cause}). ${remedy}`, {
    path: `${directory}/${name}`,
    cause,
  });
}
