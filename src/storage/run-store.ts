/** Where a run keeps its files: a folder in Node, anything with the same promises elsewhere. */
export interface RunStore {
  /** For messages, for example "runs/first". */
  readonly describe: string;
  /** The file's bytes; undefined where there is none. */
  read(name: string): Promise<Uint8Array | undefined>;
  /** Replaces a file: after a crash at any moment, either the old or the new bytes are there, whole. */
  write(name: string, bytes: Uint8Array): Promise<void>;
  /** Adds text at the end of a file. */
  append(name: string, text: string): Promise<void>;
  /** Cuts a file back to its first bytes. */
  truncate(name: string, bytes: number): Promise<void>;
  /**
   * Keeps all others out until it is released; may be taken several times through the same store. A store without it
   * belongs to one run alone.
   *
   * @throws where somebody else holds the store, naming who
   */
  lock?(): Promise<() => Promise<void>>;
  /** Removes a file, or what runs wrote below a folder. Without it, files are emptied: an empty file is a missing one. */
  remove?(name: string): Promise<void>;
}

/** As much of a store as reading takes. */
export type ReadableRun = Pick<RunStore, "describe" | "read">;

/** The bytes of a file; undefined where there is none, or an empty one. */
export async function readFilled(store: ReadableRun, name: string): Promise<Uint8Array | undefined> {
  const bytes = await store.read(name);
  return bytes?.length ? bytes : undefined;
}

/** Removes a file of the store. */
export async function removeFile(store: RunStore, name: string): Promise<void> {
  if (store.remove) await store.remove(name);
  else if (await readFilled(store, name)) await store.write(name, new Uint8Array());
}
