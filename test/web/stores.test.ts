import { afterEach, describe, expect, it } from "vitest";
import { droppedFiles } from "../../src/data/dropped-files.ts";
import { glyphs, mlp, sgd, train } from "../../src/index.ts";
import { webRuntime } from "../../src/runtime/web.ts";
import { importRun, opfsRuns, opfsStore } from "../../src/storage/opfs-store.ts";
import { runStoreContract } from "../run-store-contract.ts";

const names: string[] = [];
const freshStore = () => {
  names.push(`test ${names.length} ${crypto.randomUUID()}`);
  return opfsStore(names.at(-1) ?? "");
};
afterEach(async () => {
  for (const name of names.splice(0)) await opfsStore(name).delete();
});

runStoreContract("a page's private file system", async () => freshStore());

describe("runs in a page", () => {
  const data = glyphs({ train: 256, test: 64 });
  const settings = async (resume: boolean) => ({
    model: mlp({ input: [1, 28, 28], hidden: [16], outputs: 10, normalization: data.normalization }),
    examples: data.train,
    runtime: await webRuntime(),
    tangents: 4,
    steps: 12,
    batch: 32,
    optimizer: sgd({ momentum: 0.5 }),
    resume,
  });

  it("end with the same bytes after they were interrupted", async () => {
    const whole = freshStore();
    for await (const _ of train({ ...(await settings(false)), store: whole }));
    const parted = freshStore();
    const stop = new AbortController();
    for await (const event of train({ ...(await settings(false)), store: parted, signal: stop.signal }))
      if (event.kind === "step" && event.step === 5) stop.abort();
    for await (const _ of train({ ...(await settings(true)), store: parted }));
    expect(await parted.read("model.onnx")).toEqual(await whole.read("model.onnx"));
  });

  it("travel as a zip", async () => {
    const store = freshStore();
    for await (const _ of train({ ...(await settings(false)), store }));
    const zipped = await store.exportZip();
    const name = `copy ${crypto.randomUUID()}`;
    names.push(name);
    const copy = await importRun(name, zipped);
    expect(await opfsRuns()).toContain(name);
    for (const file of ["config.json", "metrics.jsonl", "model.onnx", "checkpoint/state.safetensors"])
      expect(await copy.read(file), file).toEqual(await store.read(file));
    await expect(importRun(name, zipped)).rejects.toThrow("exists already");
    await expect(importRun("x", new Uint8Array([1, 2, 3]))).rejects.toThrow("no zip");
  });

  it("are one tab's at a time", async () => {
    const store = freshStore();
    const release = await store.lock?.();
    const other = opfsStore(names.at(-1) ?? "");
    await expect(other.lock?.()).rejects.toThrow("in use by another tab");
    await expect(other.delete()).rejects.toThrow("in use by another tab");
    await release?.();
    await (await other.lock?.())?.();
  });
});

describe("dropped files", () => {
  it("are read by their paths, without the folder around them", async () => {
    const file = (path: string, text: string) =>
      Object.defineProperty(new File([text], path.slice(path.lastIndexOf("/") + 1)), "webkitRelativePath", {
        value: path,
      });
    const files = await droppedFiles([file("photos/cat/1.png", "a"), file("photos/dog/2.png", "b")]);
    expect(await files.list()).toEqual(["cat/1.png", "dog/2.png"]);
    expect(new TextDecoder().decode(await files.read("dog/2.png"))).toBe("b");
    expect(await files.read("dog/3.png")).toBeUndefined();
    // As data for a worker, and back.
    expect(files.files.map(({ path }) => path)).toEqual(["cat/1.png", "dog/2.png"]);
    const again = await droppedFiles(structuredClone(files.files));
    expect(new TextDecoder().decode(await again.read("dog/2.png"))).toBe("b");
    const model = await droppedFiles([new File(["m"], "model.onnx"), new File(["d"], "model.onnx.data")]);
    expect(await model.list()).toEqual(["model.onnx", "model.onnx.data"]);
    await expect(droppedFiles([])).rejects.toThrow("No file was dropped");
  });
});
