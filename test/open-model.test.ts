import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { crossEntropy } from "../src/losses/cross-entropy.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import { loadModel } from "../src/storage/node-model.ts";
import { openModel } from "../src/storage/open-model.ts";
import { train } from "../src/train/train.ts";

const path = (name: string) => new URL(`goldens/zoo/${name}`, import.meta.url);
const name = "vit-external-dynamo23.onnx";
/** As a browser gives it: a Blob with a name. */
const file = (from: string, called = from) => new File([new Uint8Array(readFileSync(path(from)))], called);

describe("openModel", () => {
  it("finds the model and its data among files, as loadModel does on disk", async () => {
    const opened = await openModel([file(`${name}.data`), file(name, `folder/${name}`)]);
    expect(opened.initializers).toEqual(loadModel(path(name).pathname).initializers);
    expect(opened.source).toBe(`folder/${name}`);
  });

  it("gives what train takes, and so does loadModel", async () => {
    const inputs = Float32Array.from({ length: 4 * 432 }, (_, index) => Math.sin(index));
    const examples = { inputs, labels: Int32Array.from([0, 1, 2, 0]), shape: [3, 12, 12], count: 4 };
    const run = { examples, runtime: nodeRuntime({ threads: 1 }), steps: 1, batch: 4, loss: crossEntropy() };
    const saved: Uint8Array[] = [];
    for (const model of [await openModel([file(name), file(`${name}.data`)]), loadModel(path(name).pathname)])
      for await (const event of train({ ...run, model })) if (event.kind === "done") saved.push(event.model);
    expect(saved).toHaveLength(2);
    expect(saved[0]).toEqual(saved[1]);
  });

  it("names a data file that is missing, and asks for one model", async () => {
    await expect(openModel([file(name)])).rejects.toThrow(
      `${name} keeps data in '${name}.data', which is not among '${name}'; give that file beside it.`,
    );
    await expect(openModel([file(`${name}.data`)])).rejects.toThrow(/expected one \.onnx file, received 0/);
    await expect(openModel([file(name), file(name, "other.onnx")])).rejects.toThrow(/received 2 among/);
  });
});
