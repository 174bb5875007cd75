import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { crossEntropy } from "../src/losses/cross-entropy.ts";
import { compileObjective } from "../src/objective/compile-objective.ts";
import { deriveFile } from "../src/objective/derive.ts";
import { floatOutput } from "../src/objective/importing/import-model.ts";
import { decodeModel } from "../src/onnx/decode.ts";
import { encodeModel } from "../src/onnx/encode.ts";
import { float32, toNumbers } from "../src/onnx/tensor.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import type { RunStore } from "../src/storage/run-store.ts";
import { decodeSafetensors, encodeSafetensors } from "../src/storage/safetensors.ts";
import { evaluateModel } from "../src/train/evaluation/evaluate-model.ts";
import type { TrainOptions } from "../src/train/settings/options.ts";
import { train } from "../src/train/train.ts";

const folder = join(import.meta.dirname, "cases/hostile");
const read = (name: string) => new Uint8Array(readFileSync(join(folder, name)));
const runtime = nodeRuntime({ threads: 1 });

const examples = {
  count: 40,
  shape: [4],
  inputs: Float32Array.from({ length: 160 }, (_, place) => Math.sin(1 + place * 1.7)),
  labels: Int32Array.from({ length: 40 }, (_, place) => place % 3),
};

function memoryStore(): RunStore {
  const files = new Map<string, Uint8Array<ArrayBuffer>>();
  const text = (name: string) => new TextDecoder().decode(files.get(name));
  return {
    describe: "memory",
    read: async (name) => files.get(name),
    write: async (name, bytes) => void files.set(name, new Uint8Array(bytes)),
    append: async (name, more) => void files.set(name, new TextEncoder().encode(text(name) + more)),
    truncate: async (name, bytes) =>
      void files.set(name, (files.get(name) ?? new Uint8Array()).slice(0, bytes)),
  };
}

/** The numbers of a model's tensors in the file's order, which is the same in all of these files. */
function numbersOf(bytes: Uint8Array): number[][] {
  return [...decodeModel(bytes).initializers.values()].map(toNumbers);
}

async function trained(name: string, settings: Partial<TrainOptions>): Promise<number[][]> {
  const store = memoryStore();
  const options = {
    model: read(name),
    examples,
    validation: 0,
    runtime,
    batch: 8,
    seed: 3,
    ...settings,
    store,
  };
  // Half of it, and then the rest from the checkpoint.
  const stop = new AbortController();
  for await (const event of train({ ...options, signal: stop.signal, checkpointSeconds: 1000 }))
    if (event.kind === "step" && event.step === 4) stop.abort();
  for await (const event of train({ ...options, resume: true }))
    if (event.kind === "done") return numbersOf(event.model);
  throw new Error("the run did not end");
}

const named = ["names-parameters.onnx", "names-interface.onnx", "names-output.onnx", "names-torch.onnx"];

describe("names of JavaScript's own are ordinary names", () => {
  const ways = {
    activations: { perturb: "activations" },
    "weights, with Adam": { perturb: "weights", optimizer: "adam", tangents: 4 },
    "exact gradients, with momentum": { gradient: "exact", optimizer: { name: "sgd", momentum: 0.9 } },
    "low memory": { perturb: "weights", lowMemory: true, tangents: 4 },
    adapters: { adapter: { rank: 1 } },
  } satisfies Record<string, Partial<TrainOptions>>;
  for (const [way, settings] of Object.entries(ways)) {
    it(`in a run that is stopped and resumed: ${way}`, async () => {
      const expected = await trained("names-plain.onnx", { steps: 8, learningRate: 0.1, ...settings });
      expect(expected).not.toEqual(numbersOf(read("names-plain.onnx")));
      for (const name of named)
        expect(await trained(name, { steps: 8, learningRate: 0.1, ...settings }), name).toEqual(expected);
    });
  }

  it("in evaluation, and where names choose tensors", async () => {
    const evaluate = async (name: string) => {
      const model = decodeModel(read(name));
      return evaluateModel({
        model,
        parameters: {},
        examples,
        loss: crossEntropy(),
        output: floatOutput(model),
        runtime,
      });
    };
    const expected = await evaluate("names-plain.onnx");
    for (const name of named) expect(await evaluate(name), name).toEqual(expected);
    const chosen = await trained("names-plain.onnx", {
      steps: 8,
      learningRate: 0.1,
      frozen: (name) => name === "w1",
    });
    const same = { steps: 8, learningRate: 0.1, frozen: (name: string) => name === "__proto__" };
    expect(await trained("names-parameters.onnx", same)).toEqual(chosen);
  });

  it("in derivative graphs", async () => {
    for (const name of named) {
      const dimensions = Object.fromEntries(
        ["width", "prototype", "__proto__", "constructor"].map((dimension) => [dimension, 4]),
      );
      const options = { model: read(name), loss: crossEntropy(), runtime, batch: 4, dimensions };
      const objective = await compileObjective(options);
      const derived = decodeModel(
        deriveFile(objective, { tangents: 2, perExample: false, parameters: "inputs" }),
      );
      const inputs = derived.inputs.map((input) => input.name);
      for (const parameter of Object.keys(objective.parameters))
        expect(inputs).toEqual(expect.arrayContaining([parameter, `tangent/${parameter}`]));
    }
  });

  it("in saved files, byte for byte", () => {
    for (const name of named) {
      const model = decodeModel(read(name));
      const again = decodeModel(encodeModel(model, model.initializers));
      expect(again.inputs).toEqual(model.inputs);
      expect(again.outputs).toEqual(model.outputs);
      expect([...again.initializers]).toEqual([...model.initializers]);
    }
  });

  it("in safetensors files", () => {
    const tensors = Object.fromEntries(
      ["__proto__", "constructor", "toString"].map((name, place) => [name, float32([place, 1])]),
    );
    expect(decodeSafetensors(encodeSafetensors(tensors, {}), "a file").tensors).toEqual(tensors);
    expect(Object.keys(decodeSafetensors(encodeSafetensors(tensors, {}), "a file").tensors)).toHaveLength(3);
  });
});
