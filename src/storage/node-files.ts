/** Reads and writes files so that none is ever half written, in Node. */
import { existsSync, mkdirSync } from "node:fs";
import { lstat, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { StorageError } from "../errors/errors.ts";

/** Makes a folder and those above it, one by one: Node's recursive mkdir never returns below /proc. */
export function makeFolder(path: string): void {
  if (existsSync(path)) return;
  makeFolder(dirname(path));
  mkdirSync(path);
}

/** The bytes of a file, or undefined where there is none. */
export async function readIfPresent(path: string): Promise<Uint8Array | undefined> {
  try {
    return new Uint8Array(await readFile(path));
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw new StorageError(
      `${path}: cannot be read (${(error as Error).message}); check the file and its permissions.`,
      { path: path, cause: error },
    );
  }
}

/**
 * Replaces a file, so that after a crash at any moment either the old or the new bytes are there, whole: temporary
 * file, fsync, rename, fsync of the folder. The temporary file has a name that nobody can guess and is opened exclusively,
 * so that nothing that lies there is written to, through a link or not; a link in the file's own place is replaced.
 */
export async function writeAtomically(path: string, bytes: Uint8Array): Promise<void> {
  const temporary = `${path}.${crypto.randomUUID()}.tmp`;
  const file = await open(temporary, "wx");
  try {
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    await syncFolder(dirname(path));
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw error;
  }
}

/** A file that grows beside its place, and takes it when it is whole. */
export interface GrowingFile {
  /** Adds text at the end; always true. */
  append(text: string): Promise<boolean>;
  /** Puts the file in its place, or removes it. */
  finish(isKept: boolean): Promise<void>;
}

/** As `writeAtomically`, for a file that comes in parts. @throws StorageError where the folder cannot be written */
export async function openAtomically(path: string): Promise<GrowingFile> {
  const temporary = `${path}.${crypto.randomUUID()}.tmp`;
  const file = await open(temporary, "wx").catch((cause) => {
    const why = (cause as Error).message;
    throw new StorageError(`${path}: cannot be written (${why}); check the folder and its permissions.`, {
      path,
      cause,
    });
  });
  return {
    async append(text) {
      await file.appendFile(text);
      return true;
    },
    async finish(isKept) {
      try {
        if (isKept) await file.sync();
        await file.close();
        if (isKept) await rename(temporary, path);
      } finally {
        await rm(temporary, { force: true });
      }
    },
  };
}

/** What `writeAtomically` calls its temporary files: the file's name and a random UUID. */
const temporaryName = /^(.+)\.[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\.tmp$/;

/**
 * Removes the temporary files that killed writers left of files in a folder, and nothing else.
 *
 * @param isOwn whether a file of this name is written here
 * @param olderThanSeconds 0 where nobody else can be writing; else longer than any write takes
 */
export async function removeLeftovers(
  folder: string,
  isOwn: (name: string) => boolean,
  olderThanSeconds: number,
): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  for (const entry of entries) {
    const name = temporaryName.exec(entry.name)?.[1];
    if (!entry.isFile() || name === undefined || !isOwn(name)) continue;
    const path = join(folder, entry.name);
    try {
      const age = (Date.now() - (await lstat(path)).mtimeMs) / 1000;
      if (age >= olderThanSeconds) await rm(path);
    } catch {
      // It only takes up room; the write that comes next says what is wrong with the folder.
    }
  }
}

/** As `writeAtomically`, for a folder that others may write to at the same time: leftovers go once they are an hour old. */
export async function writeShared(path: string, bytes: Uint8Array): Promise<void> {
  await removeLeftovers(dirname(path), (name) => name === basename(path), 3600);
  await writeAtomically(path, bytes);
}

async function syncFolder(path: string): Promise<void> {
  // Windows cannot open folders; its renames are durable without it.
  if (process.platform === "win32") return;
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

export function isMissing(error: unknown): boolean {
  return codeOf(error) === "ENOENT";
}

/** The system's code of an error, such as ENOSPC; the file system's errors may be of another realm, as in Jest. */
export function codeOf(error: unknown): string | undefined {
  const isObject = typeof error === "object" && error !== null;
  return isObject && "code" in error && typeof error.code === "string" ? error.code : undefined;
}
