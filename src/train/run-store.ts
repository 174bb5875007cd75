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
}
