/** A run's files in a page's private file system (OPFS): they outlive the tab, the browser, and a crash of either. */
import { strToU8, unzip, zip } from "fflate";
import { StorageError } from "../errors/errors.ts";
import { option, words } from "../errors/words.ts";
import { checkArgument } from "../settings/check-argument.ts";
import { value } from "../settings/option.ts";
import { countedLock } from "./counted-lock.ts";
import type { RunStore } from "./run-store.ts";

/** As much of a page as is used here, because neither Node's types nor ES2023's declare it. */
interface Page {
  readonly navigator?: {
    readonly storage?: { getDirectory?(): Promise<Folder>; persist?(): Promise<boolean> };
    readonly locks?: {
      request(
        name: string,
        options: { ifAvailable: true },
        work: (lock: object | null) => Promise<void>,
      ): Promise<void>;
    };
  };
}

interface Folder {
  readonly kind: "directory";
  getDirectoryHandle(name: string, options?: { create: boolean }): Promise<Folder>;
  getFileHandle(name: string, options?: { create: boolean }): Promise<StoredFile>;
  removeEntry(name: string, options?: { recursive: boolean }): Promise<void>;
  entries(): AsyncIterable<[string, Folder | StoredFile]>;
}

interface StoredFile {
  readonly kind: "file";
  getFile(): Promise<Blob>;
  createWritable?(options?: { keepExistingData: boolean }): Promise<{
    write(data: Uint8Array | { type: "write"; position: number; data: Uint8Array }): Promise<void>;
    truncate(size: number): Promise<void>;
    close(): Promise<void>;
    abort(): Promise<void>;
  }>;
}

const page = globalThis as Page;

/** The folder of all runs. */
const runsFolder = "forwardgrad";

const isName = (given: unknown) =>
  typeof given === "string" && /^[^/\\\0]+$/.test(given) && given !== "." && given !== "..";
const runName = value<string>("the name of a run, without slashes", isName, {});

/** A run's files in the page's private file system. */
export interface OpfsStore extends RunStore {
  /** All of the run's files as one zip, as a run's folder in Node holds them. */
  exportZip(): Promise<Uint8Array>;
  /** Removes the run. @throws where another tab is at work on it */
  delete(): Promise<void>;
}

/**
 * Keeps a run's files in the page's private file system, below "forwardgrad/<name>". A file is replaced as a whole when it is closed,
 * so that after a crash the old or the new bytes are there. One tab or worker at a time owns a run, by a Web Lock that ends with it.
 * The browser is asked not to clear the origin's storage where room is short.
 *
 * @throws SettingError for what is no name; StorageError where the page has no private file system, or it is full
 */
export function opfsStore(name: string): OpfsStore {
  checkArgument("opfsStore", runName, name);
  const describe = `the run '${name}' in this page's storage`;
  const change = async (file: string, act: (path: readonly string[]) => Promise<void>) => {
    try {
      await act([runsFolder, name, ...file.split("/")]);
    } catch (cause) {
      throw failed(describe, file, cause);
    }
  };
  const store: OpfsStore = {
    describe,
    read: (file) => readFile([runsFolder, name, ...file.split("/")]),
    write: (file, bytes) =>
      change(file, (path) => writeFile(path, (writable) => writable.write(bytes), false)),
    append: (file, text) =>
      change(file, async (path) => {
        const position = (await openFile(path))?.size ?? 0;
        const data = strToU8(text);
        await writeFile(path, (writable) => writable.write({ type: "write", position, data }), true);
      }),
    truncate: (file, bytes) =>
      change(file, async (path) => {
        const size = (await openFile(path))?.size;
        if (size !== undefined && size > bytes)
          await writeFile(path, (writable) => writable.truncate(bytes), true);
      }),
    remove: (file) => change(file, removeEntry),
    lock: countedLock(() => takeLock(name, describe)),
    async exportZip() {
      const folder = await folderOf([runsFolder, name], false);
      return packed(folder ? await allFiles(folder, "") : {});
    },
    async delete() {
      const free = await takeLock(name, describe);
      try {
        await removeEntry([runsFolder, name]);
      } finally {
        free();
      }
    },
  };
  return store;
}

/** Names of the runs in this page's storage, sorted. */
export async function opfsRuns(): Promise<string[]> {
  const folder = await folderOf([runsFolder], false);
  const names: string[] = [];
  if (folder)
    for await (const [name, entry] of folder.entries()) if (entry.kind === "directory") names.push(name);
  return names.sort();
}

/**
 * Puts a run's files, zipped by `exportZip` or from a run's folder in Node, into this page's storage.
 *
 * @throws StorageError where there is a run of that name, or the bytes are no zip of a run
 */
export async function importRun(name: string, zipped: Uint8Array): Promise<OpfsStore> {
  const store = opfsStore(name);
  const files = await unpacked(zipped, store.describe);
  const release = await store.lock?.();
  try {
    if (await store.read("config.json")) {
      throw new StorageError(`${store.describe} exists already; choose another name, or delete it first.`, {
        path: name,
      });
    }
    for (const [file, bytes] of Object.entries(files)) await store.write(file, bytes);
  } finally {
    await release?.();
  }
  return store;
}

function packed(files: Readonly<Record<string, Uint8Array>>): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    zip({ ...files }, { level: 6 }, (error, bytes) => (error ? reject(error) : resolve(bytes)));
  });
}

/** The files of a zip that hold something, a folder around all of them left out. */
async function unpacked(zipped: Uint8Array, describe: string): Promise<Record<string, Uint8Array>> {
  const all = await new Promise<Record<string, Uint8Array>>((resolve, reject) => {
    unzip(zipped, (error, files) => (error ? reject(error) : resolve(files)));
  }).catch((cause) => {
    throw new StorageError(
      `${describe}: the bytes are no zip (${(cause as Error).message}); give the file that was exported.`,
      {
        path: describe,
        cause,
      },
    );
  });
  const config = Object.keys(all).find((file) => /(^|\/)config\.json$/.test(file));
  if (config === undefined) {
    throw new StorageError(
      `${describe}: the zip holds no config.json, so it is no run; zip a run's folder, or export the run from the page it was made in.`,
      { path: describe },
    );
  }
  const folder = config.slice(0, -"config.json".length);
  return Object.fromEntries(
    Object.entries(all).flatMap(([file, bytes]) =>
      file.startsWith(folder) && !file.endsWith("/") && !file.endsWith("lock.json")
        ? [[file.slice(folder.length), bytes]]
        : [],
    ),
  );
}

async function root(): Promise<Folder> {
  const { storage } = page.navigator ?? {};
  if (!storage?.getDirectory) {
    throw new StorageError(
      words`This page has no private file system (a page that is not served by https, a private window, or an old browser). Keep the run in
        memory (${option("store")}: memoryStore()), and download the model before the page is closed.`,
      { path: runsFolder },
    );
  }
  return storage.getDirectory();
}

async function folderOf(path: readonly string[], create: boolean): Promise<Folder | undefined> {
  let folder = await root();
  for (const name of path) {
    try {
      folder = await folder.getDirectoryHandle(name, { create });
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }
  return folder;
}

async function readFile(path: readonly string[]): Promise<Uint8Array | undefined> {
  const file = await openFile(path);
  return file && new Uint8Array(await file.arrayBuffer());
}

async function openFile(path: readonly string[]): Promise<Blob | undefined> {
  const folder = await folderOf(path.slice(0, -1), false);
  try {
    return await (await folder?.getFileHandle(path.at(-1) ?? ""))?.getFile();
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

type Writable = Awaited<ReturnType<NonNullable<StoredFile["createWritable"]>>>;

/** What is written goes into a copy, which takes the file's place when it is closed. */
async function writeFile(
  path: readonly string[],
  write: (writable: Writable) => Promise<void>,
  keepExistingData: boolean,
): Promise<void> {
  const folder = await folderOf(path.slice(0, -1), true);
  const file = await folder?.getFileHandle(path.at(-1) ?? "", { create: true });
  if (!file?.createWritable) {
    throw new StorageError(
      words`This browser cannot replace a file as a whole (createWritable). Update it, or keep the run in memory
        (${option("store")}: memoryStore()).`,
      { path: path.join("/") },
    );
  }
  const writable = await file.createWritable({ keepExistingData });
  try {
    await write(writable);
  } catch (error) {
    await writable.abort().catch(() => undefined);
    throw error;
  }
  await writable.close();
}

async function removeEntry(path: readonly string[]): Promise<void> {
  const folder = await folderOf(path.slice(0, -1), false);
  try {
    await folder?.removeEntry(path.at(-1) ?? "", { recursive: true });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}

async function allFiles(folder: Folder, prefix: string): Promise<Record<string, Uint8Array>> {
  const files: [string, Uint8Array][] = [];
  for await (const [name, entry] of folder.entries()) {
    if (entry.kind === "directory") files.push(...Object.entries(await allFiles(entry, `${prefix}${name}/`)));
    else files.push([`${prefix}${name}`, new Uint8Array(await (await entry.getFile()).arrayBuffer())]);
  }
  return Object.fromEntries(files);
}

/** @throws StorageError where another tab or worker holds it */
async function takeLock(name: string, describe: string): Promise<() => void> {
  const { locks, storage } = page.navigator ?? {};
  // Without an answer the storage may be cleared where room is short; the run goes on all the same.
  await storage?.persist?.().catch(() => false);
  if (!locks) return () => undefined;
  return new Promise((resolve, reject) => {
    const work = (lock: object | null) =>
      new Promise<void>((release) => {
        if (lock) return resolve(release);
        release();
        reject(
          new StorageError(
            words`${describe} is in use by another tab or worker of this page; close that one, or choose another name
              (${option("store")}).`,
            { path: name },
          ),
        );
      });
    locks.request(`${runsFolder}/${name}`, { ifAvailable: true }, work).catch(reject);
  });
}

function failed(describe: string, file: string, cause: unknown): unknown {
  if (cause instanceof StorageError) return cause;
  const isFull = nameOf(cause) === "QuotaExceededError";
  const remedy = isFull
    ? words`This page's storage is full: delete runs that are done with, or free some space, then go on with ${option("resume", true)}.`
    : words`Reload the page, then go on with ${option("resume", true)}.`;
  return new StorageError(words`${describe}: ${file} could not be changed (${String(cause)}). ${remedy}`, {
    path: file,
    cause,
  });
}

function isNotFound(error: unknown): boolean {
  return nameOf(error) === "NotFoundError";
}

function nameOf(error: unknown): string | undefined {
  return typeof error === "object" && error !== null && "name" in error ? String(error.name) : undefined;
}
