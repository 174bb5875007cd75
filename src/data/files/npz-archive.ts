/** What is inside of .npz files: ZIP archives of arrays. */
import type { FileEntry } from "@zip.js/zip.js";
import { DataError } from "../../errors/errors.ts";
import { option, words } from "../../errors/words.ts";
import { howToRaise, type Limits } from "../../limits/limits.ts";
import type { SourceFile } from "../store.ts";
import { kindOfFile } from "./file-kinds.ts";
import { describeNpy, isNpy, type NpyArray, parseNpy } from "./npy.ts";

/** The arrays inside a .npz file, none of them read yet. */
export interface Archive {
  readonly source: string;
  readonly names: readonly string[];
  has(name: string): boolean;
  /** The bytes of `<name>.npy`. */
  read(name: string): Promise<Uint8Array>;
}

/** Opens an archive while it is used. @throws when the file is no ZIP archive, or is damaged */
export async function withArchive<Result>(
  { name: source, bytes }: SourceFile,
  limits: Limits,
  use: (archive: Archive) => Promise<Result>,
): Promise<Result> {
  if (isNpy(bytes)) {
    throw new DataError(
      `${source}: one .npy array, ${describeNpy(bytes)}, expected a .npz archive of inputs and labels; put them into one ` +
        `(numpy.savez("data.npz", x=numpy.load("${source}"), y=…))`,
      { source },
    );
  }
  const kind = kindOfFile(bytes);
  if (kind !== "ZIP") {
    throw new DataError(
      `${source}: the file is ${kind ?? "no ZIP"}, expected a .npz archive, as numpy.savez("data.npz", x=…, y=…) writes it; ` +
        "correct the file's name, or save its arrays so",
      { source },
    );
  }
  // Loaded only here: it takes a while to start.
  const zip = await import("@zip.js/zip.js");
  const damaged = (cause: unknown) =>
    new DataError(
      `${source}: truncated or damaged .npz archive, ${bytes.length} bytes (${(cause as Error).message}); save it again`,
      { source, cause },
    );
  const reader = new zip.ZipReader(new zip.Uint8ArrayReader(bytes), {
    useWebWorkers: false,
    checkSignature: true,
    checkOverlappingEntry: true,
  });
  try {
    const entries = new Map<string, FileEntry>();
    for (const entry of await reader.getEntries().catch((cause: unknown) => Promise.reject(damaged(cause))))
      if (!entry.directory && isArray(entry.filename)) entries.set(entry.filename.slice(0, -4), entry);
    return await use({
      source,
      names: [...entries.keys()],
      has: (name) => entries.has(name),
      async read(name) {
        const entry = entries.get(name);
        if (entry === undefined) throw new DataError(`${source}: no array '${name}'`, { source });
        if (entry.uncompressedSize > limits.unpackedBytes) {
          throw new DataError(
            words`${source}: '${name}' unpacks to ${entry.uncompressedSize.toLocaleString("en")} bytes;
              ${howToRaise("unpackedBytes", limits)}`,
            { source },
          );
        }
        return entry
          .getData(new zip.Uint8ArrayWriter())
          .catch((cause: unknown) => Promise.reject(damaged(cause)));
      },
    });
  } finally {
    await reader.close();
  }
}

/** macOS puts files of its own beside those that it packs. */
function isArray(path: string): boolean {
  return (
    path.endsWith(".npy") && !path.split("/").some((part) => part === "__MACOSX" || part.startsWith("._"))
  );
}

export async function readArray(archive: Archive, name: string): Promise<NpyArray> {
  if (!archive.has(name)) {
    throw new DataError(
      words`${archive.source}: no array '${name}', received ${await describeArrays(archive)}; correct ${option("arrays")}`,
      { source: archive.source },
    );
  }
  return parseNpy(await archive.read(name), `${archive.source}: '${name}.npy'`);
}

export async function describeArrays(archive: Archive): Promise<string> {
  const list: string[] = [];
  for (const name of archive.names) {
    const what = await archive.read(name).then(describeNpy, () => "(cannot be read)");
    list.push(`'${name}' ${what}`);
  }
  return list.length > 0 ? list.join(", ") : "none";
}
