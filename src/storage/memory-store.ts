/** A run's files in memory: for runs that need not outlive the page or the process. */
import type { RunStore } from "./run-store.ts";

/** A store in memory, and what is in it. */
export interface MemoryStore extends RunStore {
  /** The files' bytes by name. */
  readonly files: Map<string, Uint8Array>;
  /** A file as text; empty where there is none. */
  text(name: string): string;
}

/**
 * Keeps a run's files in memory: they are gone with the page or the process.
 *
 * @param files what is there already, by name; changed as the run writes
 */
export function memoryStore(files = new Map<string, Uint8Array>()): MemoryStore {
  const bytes = (name: string) => files.get(name) ?? new Uint8Array();
  return {
    files,
    describe: "memory",
    text: (name) => new TextDecoder().decode(bytes(name)),
    read: async (name) => files.get(name),
    async write(name, content) {
      // A copy, because writers go on with their arrays.
      files.set(name, content.slice());
    },
    async append(name, text) {
      const before = bytes(name);
      const added = new TextEncoder().encode(text);
      const whole = new Uint8Array(before.length + added.length);
      whole.set(before);
      whole.set(added, before.length);
      files.set(name, whole);
    },
    async truncate(name, length) {
      if (files.has(name)) files.set(name, bytes(name).slice(0, length));
    },
    async remove(name) {
      for (const path of files.keys()) if (path === name || path.startsWith(`${name}/`)) files.delete(path);
    },
  };
}
