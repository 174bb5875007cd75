/** A run of one's own outlives the tab: its files, choices and curves are kept in the page's private file system. */
import { type DroppedFile, opfsRuns, opfsStore } from "forwardgrad/web";
import type { Curves } from "../curves.ts";
import type { Choices } from "./choices.ts";

/** The run's store, in the worker. */
export const runName = "lab: your model";
const folderName = "lab-your-model";

/** What is kept beside the run itself. */
export interface Kept {
  readonly model: readonly string[];
  readonly data: readonly string[];
  readonly choices: Choices;
  /** What the model said of the shown examples before it was trained, [shown, outputs]. */
  readonly before: readonly number[];
  readonly curves: Curves;
}

/** The files of a run: model and data. */
export interface RunFiles {
  readonly model: readonly DroppedFile[];
  readonly data: readonly DroppedFile[];
}

const folder = async (create: boolean) =>
  (await navigator.storage.getDirectory()).getDirectoryHandle(folderName, { create });

async function write(name: string, content: Blob | string): Promise<Blob> {
  const file = await (await folder(true)).getFileHandle(name, { create: true });
  const writable = await file.createWritable();
  try {
    await writable.write(content);
  } catch (error) {
    await writable.abort().catch(() => undefined);
    throw error;
  }
  await writable.close();
  return file.getFile();
}

/**
 * Removes the run that is there, and copies the files of a new one.
 *
 * @returns the copies: what was dropped may change
 * @throws StorageError where another tab is at work on the run; the browser's error where there is no room
 */
export async function keepFiles({ model, data }: RunFiles): Promise<RunFiles> {
  await opfsStore(runName).delete();
  const old = await namesIn();
  // Beside those of the run before, which may be the same.
  const run = Date.now();
  const copies: DroppedFile[] = [];
  for (const [index, { path, file }] of [...model, ...data].entries())
    copies.push({ path, file: await write(`${run}-${index}`, file) });
  const here = await folder(true);
  for (const name of old) await here.removeEntry(name);
  return { model: copies.slice(0, model.length), data: copies.slice(model.length) };
}

async function namesIn(): Promise<string[]> {
  const names: string[] = [];
  for await (const name of (await folder(true)).keys()) names.push(name);
  return names;
}

/** Writes what a resumed run is shown with. */
export async function keepState(kept: Kept): Promise<void> {
  await write("state.json", JSON.stringify(kept));
}

/** What was kept, where there is a run to go on with. */
export async function findKept(): Promise<{ readonly state: Kept; readonly files: RunFiles } | undefined> {
  try {
    if (!(await opfsRuns()).includes(runName)) return undefined;
    const here = await folder(false);
    const read = async (name: string) => (await here.getFileHandle(name)).getFile();
    const state = JSON.parse(await (await read("state.json")).text()) as Kept;
    // "<time>-<number>", in the order of their numbers.
    const names = (await namesIn()).filter((name) => name !== "state.json");
    const numberOf = (name: string) => Number(name.slice(name.indexOf("-") + 1));
    const inOrder = names.toSorted((a, b) => numberOf(a) - numberOf(b));
    const files = await Promise.all(
      [...state.model, ...state.data].map(
        async (path, index): Promise<DroppedFile> => ({ path, file: await read(inOrder[index] ?? "") }),
      ),
    );
    const count = state.model.length;
    return { state, files: { model: files.slice(0, count), data: files.slice(count) } };
  } catch {
    // Nothing is there, or the page has no such place.
    return undefined;
  }
}

/** Removes it all. @throws StorageError where another tab is at work on the run */
export async function forget(): Promise<void> {
  await opfsStore(runName).delete();
  const root = await navigator.storage.getDirectory();
  await root.removeEntry(folderName, { recursive: true }).catch(() => undefined);
}
