/** Files that a command is told to write, and what they may replace. */
import { lstatSync, readFileSync, statSync } from "node:fs";

export interface OutputFile {
  readonly path: string;
  /** The files that the command reads, which it must not replace. */
  readonly inputs: readonly string[];
  /** Whether these bytes were written by this command, so that they may be replaced. */
  isOwn(bytes: Uint8Array): boolean;
  /** The user allows whatever lies there to be replaced. */
  readonly overwrite: boolean;
}

/**
 * Lets a command write to a file only where there is none, or one that it wrote.
 *
 * @throws before anything is computed, naming the file and what it is
 */
export function requireFree({ path, inputs, isOwn, overwrite }: OutputFile): void {
  const entry = lstatSync(path, { throwIfNoEntry: false });
  if (!entry) return;
  const target = statSync(path, { throwIfNoEntry: false });
  if (target && !target.isFile())
    throw new Error(`${path} is no regular file and cannot be replaced by one; choose another name.`);
  if (overwrite) return;
  const input = inputs.find((name) => isSameFile(name, path));
  if (input !== undefined) {
    const same = input === path ? "the input itself" : `the same file as the input ${input}`;
    throw new Error(`${path} is ${same}; choose another name, or say that it may be replaced (--overwrite).`);
  }
  if (target && isOwn(readFileSync(path))) return;
  throw new Error(
    `${path} exists and was not written by this command; choose another name, or say that it may be replaced (--overwrite).`,
  );
}

/** Whether two names lead to one file, through links of either kind. */
function isSameFile(one: string, other: string): boolean {
  const [first, second] = [one, other].map((path) => statSync(path, { throwIfNoEntry: false, bigint: true }));
  return first !== undefined && first.ino === second?.ino && first.dev === second.dev;
}
