import { statSync } from "node:fs";
import { readdir, realpath, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { DataError } from "../errors/errors.ts";
import { option, words } from "../errors/words.ts";
import { makeFolder, readIfPresent, writeShared } from "../storage/node-files.ts";
import type { FileCache, ListedFiles } from "./store.ts";

/**
 * The files of a folder.
 * @throws when the folder does not exist.
 */
export function folderStore(directory: string): ListedFiles {
  const folder = resolve(directory);
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) {
    throw new DataError(
      words`${folder}: no such folder, expected one with the dataset's files; correct ${option("directory")}`,
      { source: folder },
    );
  }
  return {
    describe: `folder ${folder}`,
    read: (name) => readIfPresent(join(folder, name)),
    async list() {
      const paths: string[] = [];
      await listFiles(folder, "", [], paths);
      return paths.sort();
    },
  };
}

/**
 * Adds the files of a folder and of those inside, links followed.
 *
 * @param above the real paths of the folders above, into which a link leads round in circles
 */
async function listFiles(
  root: string,
  path: string,
  above: readonly string[],
  found: string[],
): Promise<void> {
  const folder = join(root, path);
  const real = await realpath(folder);
  if (above.includes(real)) return;
  for (const { name } of await readdir(folder, { withFileTypes: true })) {
    const inside = path === "" ? name : `${path}/${name}`;
    // A link to nothing counts as a file, so that reading names it.
    const state = await stat(join(root, inside)).catch(() => undefined);
    if (state?.isDirectory()) await listFiles(root, inside, [...above, real], found);
    else if (state === undefined || state.isFile()) found.push(inside);
  }
}

/**
 * A cache in a folder, made on the first write. Files appear whole: temporary file, fsync, rename.
 *
 * @throws when a file is read that is no regular file, or the folder cannot be written
 */
export function folderCache(directory: string): FileCache {
  const folder = resolve(directory);
  return {
    describe: `folder ${folder}`,
    async read(name) {
      const path = join(folder, name);
      // Of a pipe, nothing would ever come.
      if (statSync(path, { throwIfNoEntry: false })?.isFile() === false)
        throw new DataError(`${path} is no regular file`, { source: path });
      return readIfPresent(path);
    },
    async write(name, bytes) {
      makeFolder(folder);
      await writeShared(join(folder, name), bytes);
    },
  };
}

/**
 * The folder in which this program keeps downloads: %LOCALAPPDATA%\forwardgrad\Cache on Windows,
 * ~/Library/Caches/forwardgrad on macOS, elsewhere $XDG_CACHE_HOME/forwardgrad or ~/.cache/forwardgrad.
 */
export function cacheDirectory(
  platform: string = process.platform,
  environment: Readonly<Record<string, string | undefined>> = process.env,
  home: string = homedir(),
): string {
  if (platform === "win32") {
    return join(environment.LOCALAPPDATA || join(home, "AppData", "Local"), "forwardgrad", "Cache");
  }
  if (platform === "darwin") return join(home, "Library", "Caches", "forwardgrad");
  return join(environment.XDG_CACHE_HOME || join(home, ".cache"), "forwardgrad");
}
