import { existsSync, mkdirSync } from "node:fs";
import { open, readFile, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";

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
    throw new Error(
      `${path}: cannot be read (${(error as Error).message}); check the file and its permissions.`,
      {
        cause: error,
      },
    );
  }
}

/**
 * Replaces a file, so that after a crash at any moment either the old or the new bytes are there, whole: temporary
 * file, fsync, rename, fsync of the folder.
 *
 * @param temporary name of the temporary file; a fixed one is overwritten by the next try after a kill
 */
export async function writeAtomically(
  path: string,
  bytes: Uint8Array,
  temporary = `${path}.tmp`,
): Promise<void> {
  try {
    const file = await open(temporary, "w");
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
