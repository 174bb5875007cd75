import { open, truncate } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { codeOf, isMissing, makeFolder, readIfPresent, writeAtomically } from "../data/node-files.ts";
import type { RunStore } from "../train/run-store.ts";

/**
 * A run's files in a folder. Files are replaced atomically: temporary file, fsync, rename, fsync of the folder.
 *
 * @throws when the folder cannot be made
 */
export function runFolder(directory: string): RunStore {
  try {
    makeFolder(resolve(directory));
  } catch (cause) {
    throw new Error(
      `The folder '${directory}' cannot be made (${(cause as Error).message}); choose another one (--out).`,
      { cause },
    );
  }
  return {
    describe: directory,
    read: (name) => readIfPresent(join(directory, name)),
    async write(name, bytes) {
      const path = resolve(directory, name);
      try {
        makeFolder(dirname(path));
        await writeAtomically(path, bytes);
      } catch (error) {
        throw failed(directory, name, "written", error);
      }
    },
    async append(name, text) {
      try {
        const file = await open(join(directory, name), "a");
        try {
          await file.writeFile(text);
          await file.sync();
        } finally {
          await file.close();
        }
      } catch (error) {
        throw failed(directory, name, "written", error);
      }
    },
    async truncate(name, bytes) {
      try {
        await truncate(join(directory, name), bytes);
      } catch (error) {
        if (!isMissing(error)) throw failed(directory, name, "cut back", error);
        if (bytes > 0) {
          throw new Error(
            `${directory}/${name} is missing, and the checkpoint counts on its first ${bytes} bytes; restore it, or ` +
              "start again in another folder (--out).",
            { cause: error },
          );
        }
      }
    },
  };
}

function failed(directory: string, name: string, what: string, cause: unknown): Error {
  const code = codeOf(cause);
  const remedy =
    code === "ENOSPC"
      ? "The disk is full: free some space, then go on with --resume."
      : code === "EROFS" || code === "EACCES" || code === "EPERM"
        ? "The folder cannot be written to: change its permissions or choose another one (--out)."
        : "Check the folder, then go on with --resume.";
  return new Error(`${directory}/${name} could not be ${what} (${(cause as Error).message}). ${remedy}`, {
    cause,
  });
}
