/** What every place for a run's files promises. */
import { describe, expect, it } from "vitest";
import type { RunStore } from "../src/storage/run-store.ts";

/** The suite of one kind of store. @param open a store that is empty */
export function runStoreContract(name: string, open: () => Promise<RunStore>): void {
  describe(`the store in ${name}`, () => {
    const bytes = (text: string) => new TextEncoder().encode(text);
    const text = async (store: RunStore, file: string) => {
      const content = await store.read(file);
      return content && new TextDecoder().decode(content);
    };

    it("has no file before it is written, and then what was written last", async () => {
      const store = await open();
      expect(await store.read("config.json")).toBeUndefined();
      expect(await store.read("checkpoint/state.safetensors")).toBeUndefined();
      await store.write("config.json", bytes("first"));
      await store.write("checkpoint/state.safetensors", bytes("state"));
      await store.write("config.json", bytes("2nd"));
      expect(await text(store, "config.json")).toBe("2nd");
      expect(await text(store, "checkpoint/state.safetensors")).toBe("state");
    });

    it("keeps what it was given when the writer changes its array", async () => {
      const store = await open();
      const given = bytes("as it was");
      await store.write("model.onnx", given);
      given.fill(0);
      expect(await text(store, "model.onnx")).toBe("as it was");
    });

    it("adds lines and cuts them back", async () => {
      const store = await open();
      await store.append("metrics.jsonl", "één\n");
      await store.append("metrics.jsonl", "two\n");
      expect(await text(store, "metrics.jsonl")).toBe("één\ntwo\n");
      await store.truncate("metrics.jsonl", 6);
      expect(await text(store, "metrics.jsonl")).toBe("één\n");
      await store.truncate("metrics.jsonl", 100);
      expect(await text(store, "metrics.jsonl")).toBe("één\n");
      await store.truncate("missing.jsonl", 0);
      await store.append("metrics.jsonl", "three\n");
      expect(await text(store, "metrics.jsonl")).toBe("één\nthree\n");
    });

    it("removes files and what lies below a folder", async () => {
      const store = await open();
      await store.write("config.json", bytes("kept"));
      await store.write("checkpoint/state.safetensors", bytes("a"));
      await store.write("checkpoint/state-2.safetensors", bytes("b"));
      await store.remove?.("checkpoint");
      await store.remove?.("missing.json");
      expect(await store.read("checkpoint/state.safetensors")).toBeUndefined();
      expect(await text(store, "config.json")).toBe("kept");
    });
  });
}
