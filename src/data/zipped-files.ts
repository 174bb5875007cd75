/** The files inside of a ZIP archive, such as a folder of images that was packed. */
import type { FileEntry } from "@zip.js/zip.js";
import { DataError } from "../errors/errors.ts";
import { words } from "../errors/words.ts";
import { howToRaise, type Limits, limitsWith } from "../limits/limits.ts";
import { kindOfFile } from "./files/file-kinds.ts";
import { folderAround } from "./folder-around.ts";
import type { ListedFiles, SourceFile } from "./store.ts";

/**
 * Opens a ZIP archive as a place of files; each is unpacked when it is read, and its CRC-32 is checked. A folder around all of them is left
 * out of their names.
 *
 * @param changed limits on what the archive may ask for, where they are other than the defaults
 * @throws DataError when it is no ZIP archive, or damaged; its files, when they are read, where they are or unpack to too much
 */
export async function zippedFiles(
  { name: source, bytes }: SourceFile,
  changed: Partial<Limits> = {},
): Promise<ListedFiles> {
  const limits = limitsWith(changed);
  const kind = kindOfFile(bytes);
  if (kind !== "ZIP")
    throw new DataError(`${source}: the file is ${kind ?? "no ZIP"}, expected a ZIP archive; pack it again`, {
      source,
    });
  // Loaded only here: it takes a while to start.
  const zip = await import("@zip.js/zip.js");
  const damaged = (cause: unknown) =>
    new DataError(
      `${source}: truncated or damaged ZIP archive, ${bytes.length} bytes (${(cause as Error).message}); pack it again`,
      { source, cause },
    );
  const reader = new zip.ZipReader(new zip.Uint8ArrayReader(bytes), {
    useWebWorkers: false,
    checkSignature: true,
    checkOverlappingEntry: true,
  });
  const entries = await reader.getEntries().catch((cause: unknown) => Promise.reject(damaged(cause)));
  const files = entries.filter((entry): entry is FileEntry => !entry.directory && !isAdded(entry.filename));
  if (files.length === 0)
    throw new DataError(`${source}: the ZIP archive is empty, expected files in it; pack it again`, {
      source,
    });
  const around = folderAround(files.map(({ filename }) => filename));
  const named = new Map(files.map((entry) => [entry.filename.slice(around.length), entry]));
  const paths = [...named.keys()].sort();
  return {
    describe: source,
    async list() {
      return paths;
    },
    async read(name) {
      const entry = named.get(name);
      if (entry && entry.uncompressedSize > limits.unpackedBytes) {
        throw new DataError(
          words`${source}: '${name}' unpacks to ${entry.uncompressedSize.toLocaleString("en")} bytes;
            ${howToRaise("unpackedBytes", limits)}`,
          { source },
        );
      }
      return entry
        ?.getData(new zip.Uint8ArrayWriter())
        .catch((cause: unknown) => Promise.reject(damaged(cause)));
    },
  };
}

/** macOS puts files of its own beside those that it packs. */
function isAdded(path: string): boolean {
  return path.split("/").some((part) => part === "__MACOSX" || part.startsWith("._"));
}
