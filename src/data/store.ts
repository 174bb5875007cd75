/** Where a dataset's files come from: a folder, a download with a cache, files dropped on a page. */
export interface FileStore {
  /** The place in words, for messages: "folder /data/mnist". */
  readonly describe: string;
  /** The bytes of a file, or undefined when the store has no file of that name. */
  read(name: string): Promise<Uint8Array | undefined>;
}

/** A place that keeps downloaded files between runs. */
export interface FileCache extends FileStore {
  /** Keeps the bytes under a name, whole or not at all. */
  write(name: string, bytes: Uint8Array): Promise<void>;
}

/** Files that can be fetched: `<mirror><name>.gz`, checked by what they contain. */
export interface RemoteFiles {
  /** Folder addresses, ending in "/", tried in this order. */
  readonly mirrors: readonly string[];
  /** File name without `.gz` → SHA-256 (hexadecimal) of the uncompressed bytes, the same on every mirror. */
  readonly sha256: Readonly<Record<string, string>>;
}
