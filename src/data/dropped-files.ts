/** Files that somebody chose or dropped on a page: a model with its data files, a folder of images. */
import { DataError } from "../errors/errors.ts";
import type { ListedFiles } from "./store.ts";

/** A file as pages have it; that of a chosen folder knows its path. */
interface PageFile extends Blob {
  readonly name: string;
  readonly webkitRelativePath?: string;
}

/** What a drop holds, as the File and Directory Entries API has it. */
interface Entry {
  readonly isDirectory: boolean;
  readonly fullPath: string;
  file?(found: (file: PageFile) => void, failed: (error: unknown) => void): void;
  createReader?(): { readEntries(found: (entries: Entry[]) => void, failed: (error: unknown) => void): void };
}

interface DroppedItem {
  readonly kind: string;
  webkitGetAsEntry?(): Entry | null;
  getAsFile?(): PageFile | null;
}

/**
 * The files of an `<input type="file">`, or of a drop (`event.dataTransfer.items`: folders with all that is in them; call it before the
 * event's handler returns). A folder around all of them is left out of their names.
 *
 * @throws DataError where there are none, or one cannot be read
 */
export async function droppedFiles(
  given: Iterable<PageFile | DroppedItem> | ArrayLike<PageFile | DroppedItem>,
): Promise<ListedFiles> {
  // Entries and files are asked for at once: a drop is empty when its event is over.
  const taken = Array.from(given).map((one) =>
    "kind" in one ? (one.webkitGetAsEntry?.() ?? one.getAsFile?.()) : one,
  );
  const files = new Map<string, Blob>();
  for (const one of taken) {
    if (!one) continue;
    if ("fullPath" in one) await addEntry(one, files);
    else files.set(one.webkitRelativePath || one.name, one);
  }
  if (files.size === 0)
    throw new DataError("No file was dropped or chosen; expected one, or a folder with some.");
  const around = folderAround([...files.keys()]);
  const named = new Map([...files].map(([path, file]) => [path.slice(around.length), file]));
  return {
    describe: around === "" ? `${files.size} dropped files` : `the dropped folder ${around.slice(0, -1)}`,
    async list() {
      return [...named.keys()].sort();
    },
    async read(name) {
      const file = named.get(name);
      try {
        return file && new Uint8Array(await file.arrayBuffer());
      } catch (cause) {
        throw new DataError(
          `${name} cannot be read (${String(cause)}); it may have changed since: drop it again.`,
          {
            source: name,
            cause,
          },
        );
      }
    },
  };
}

async function addEntry(entry: Entry, files: Map<string, Blob>): Promise<void> {
  const path = entry.fullPath.replace(/^\//, "");
  if (!entry.isDirectory) {
    const file = await new Promise<PageFile>((found, failed) => entry.file?.(found, failed));
    files.set(path, file);
    return;
  }
  const reader = entry.createReader?.();
  // A reader gives a hundred at a time, and nothing at the end.
  for (let more = reader !== undefined; more; ) {
    const inside = await new Promise<Entry[]>((found, failed) => reader?.readEntries(found, failed));
    for (const one of inside) await addEntry(one, files);
    more = inside.length > 0;
  }
}

/** "folder/" where all paths begin with it. */
function folderAround(paths: readonly string[]): string {
  const first = paths[0] ?? "";
  const folder = first.slice(0, first.indexOf("/") + 1);
  return folder !== "" && paths.every((path) => path.startsWith(folder)) ? folder : "";
}
