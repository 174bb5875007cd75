import type { RunStore } from "../src/storage/run-store.ts";

/** A run's files in memory. */
export function memoryStore(files = new Map<string, Uint8Array>()): RunStore & {
  readonly files: Map<string, Uint8Array>;
  text(name: string): string;
} {
  const bytes = (name: string) => files.get(name) ?? new Uint8Array();
  return {
    files,
    describe: "memory",
    text: (name) => new TextDecoder().decode(bytes(name)),
    read: async (name) => files.get(name),
    async write(name, content) {
      files.set(name, content);
    },
    async append(name, text) {
      files.set(name, Uint8Array.of(...bytes(name), ...new TextEncoder().encode(text)));
    },
    async truncate(name, length) {
      if (files.has(name)) files.set(name, bytes(name).slice(0, length));
    },
  };
}
