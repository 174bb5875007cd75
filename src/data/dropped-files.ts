/** Files that somebody chose or dropped on a page: a model with its data files, a folder of images. */
import { DataError } from "../errors/errors.ts";
import { folderAround } from "./folder-around.ts";
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

/** One of them, as plain data that a message can hold. */
export interface DroppedFile {
  /** Its name, behind those of the folders around it: "cats/1.png". */
  readonly path: string;
  /** What it holds; pages have it as a `File`. */
  readonly file: Blob;
}

/** Files that were dropped or chosen. */
export interface DroppedFiles extends ListedFiles {
  /** All of them, in the order of their paths: for a worker, or to be kept. `droppedFiles` takes them again. */
  readonly files: readonly DroppedFile[];
}

/**
 * The files of an `<input type="file">`, or of a drop (`event.dataTransfer.items`: folders with all that is in them; call it before the
 * event's handler returns), or those of `droppedFiles` again. A folder around all of them is left out of their names.
 *
 * @throws DataError where there are none, or one cannot be read
 */
export async function droppedFiles(
  given: Iterable<PageFile | DroppedItem | DroppedFile> | ArrayLike<PageFile | DroppedItem | DroppedFile>,
): Promise<DroppedFiles> {
  // Entries and files are asked for at once: a drop is empty when its event is over.
  const taken = Array.from(given).map((one) =>
    "kind" in one ? (one.webkitGetAsEntry?.() ?? one.getAsFile?.()) : one,
  );
  const files = new Map<string, Blob>();
  for (const one of taken) {
    if (!one) continue;
    if ("fullPath" in one) await addEntry(one, files);
    else if ("path" in one) files.set(one.path, one.file);
    else files.set(one.webkitRelativePath || one.name, one);
  }
  if (files.size === 0)
    throw new DataError("No file was dropped or chosen; expected one, or a folder with some.");
  const around = folderAround([...files.keys()]);
  const named = new Map([...files].map(([path, file]) => [path.slice(around.length), file]));
  const paths = [...named.keys()].sort();
  return {
    files: paths.map((path) => ({ path, file: named.get(path) as Blob })),
    describe:
      around === ""
        ? `${files.size} dropped file${files.size === 1 ? "" : "s"}`
        : `the dropped folder ${around.slice(0, -1)}`,
    async list() {
      return paths;
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
