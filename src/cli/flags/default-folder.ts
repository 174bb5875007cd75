/** The folder that a run goes to where nobody names one. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { makeFolder } from "../../storage/node-files.ts";

/** How a command names its folder where --out does not. */
export interface DefaultFolder {
  /** The first one; the others are called <name>-2, <name>-3 and so on. */
  readonly name: string;
  /** Goes on with the newest folder whose work is not complete, or with the newest of all; makes one where there is none. */
  readonly resume: boolean;
  /** Whether the work in a folder is complete. */
  readonly isComplete: (folder: string) => boolean;
}

/**
 * The folder of a command that was given none. A new one is made here, and making it succeeds for one process alone, so
 * two that start at once get two folders.
 *
 * @throws when no folder can be made
 */
export function defaultFolder({ name, resume, isComplete }: DefaultFolder): string {
  if (resume) {
    const known = startedFolders(name);
    const found = known.find((folder) => !isComplete(folder)) ?? known[0];
    if (found !== undefined) return found;
  }
  try {
    makeFolder(dirname(resolve(name)));
    for (let number = 1; ; number++) {
      const folder = number === 1 ? name : `${name}-${number}`;
      if (madeAnew(folder)) return folder;
    }
  } catch (cause) {
    throw new Error(
      `The folder '${name}' cannot be made (${(cause as Error).message}); choose another one (--out).`,
      { cause },
    );
  }
}

/** Does work in the folder that --out names, or in the command's own; one that the work left empty is taken away again. */
export async function inFolder<T>(
  out: string | undefined,
  own: DefaultFolder,
  work: (folder: string) => Promise<T>,
): Promise<T> {
  if (out !== undefined) return work(out);
  const folder = defaultFolder(own);
  try {
    return await work(folder);
  } catch (error) {
    dropEmpty(folder);
    throw error;
  }
}

/** Complete is a folder with this file, which is written last. */
export function hasFile(name: string): (folder: string) => boolean {
  return (folder) => existsSync(join(folder, name));
}

/** The metrics of a complete training run end with its result; what had no more time is not complete. */
export function isCompleteTraining(folder: string): boolean {
  const path = join(folder, "metrics.jsonl");
  if (!existsSync(path)) return false;
  const last = readFileSync(path, "utf8").trimEnd().split("\n").at(-1) ?? "";
  return last.startsWith('{"kind":"result"') && !last.includes('"outOfTime":true');
}

function dropEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // It holds files, or is gone.
  }
}

function madeAnew(folder: string): boolean {
  try {
    mkdirSync(folder);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  }
}

/** Folders of this name and its numbers in which something was started, the newest first. */
function startedFolders(name: string): string[] {
  const parent = dirname(name);
  if (!existsSync(parent)) return [];
  const own = basename(name);
  const isOwn = (entry: string) => entry === own || /^-\d+$/.test(entry.slice(own.length));
  return readdirSync(parent)
    .filter((entry) => entry.startsWith(own) && isOwn(entry))
    .map((entry) => join(parent, entry))
    .filter((folder) => existsSync(join(folder, "config.json")))
    .map((folder) => ({ folder, started: statSync(join(folder, "config.json")).mtimeMs }))
    .sort((a, b) => b.started - a.started)
    .map(({ folder }) => folder);
}
