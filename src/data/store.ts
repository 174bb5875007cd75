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

/** A store that knows what it holds. */
export interface ListedFiles extends FileStore {
  /** All files, those of folders inside as "folder/name", in the order of their UTF-16 code units. */
  list(): Promise<readonly string[]>;
}

/** A file that somebody chose: its name, for messages, and what it holds. */
export interface SourceFile {
  /** The file's name, without folders. */
  readonly name: string;
  /** All of its bytes. */
  readonly bytes: Uint8Array;
}

/** Files that can be fetched, checked by what they contain. */
export interface RemoteFiles {
  /** Folder addresses, ending in "/", tried in this order. */
  readonly mirrors: readonly string[];
  /** File name → SHA-256 (hexadecimal), the same on every mirror. */
  readonly sha256: Readonly<Record<string, string>>;
  /**
   * gzip: fetched as `<mirror><name>.gz`, and the SHA-256 is that of the uncompressed bytes. none: fetched as
   * `<mirror><name>`, and the SHA-256 is that of the bytes as they are. Default gzip.
   */
  readonly packing?: "gzip" | "none";
  /** File name → SHA-256 of `<name>.gz`, checked before it is unpacked, where packing is gzip and mirrors have the same bytes. */
  readonly packedSha256?: Readonly<Record<string, string>>;
}
