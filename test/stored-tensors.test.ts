import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { ModelProtoSchema } from "onnx-buf";
import { describe, expect, it } from "vitest";
import { crossEntropy } from "../src/losses/cross-entropy.ts";
import { mlp } from "../src/models/mlp.ts";
import { compileObjective } from "../src/objective/compile-objective.ts";
import { encodeModelFile } from "../src/objective/importing/model-file.ts";
import { decodeModel } from "../src/onnx/decode.ts";
import { insertIntoModel } from "../src/onnx/edit.ts";
import { encodeModel } from "../src/onnx/encode.ts";
import { serializeModel } from "../src/onnx/messages/serialize.ts";
import { withMetadata } from "../src/onnx/metadata.ts";
import { bytesOf } from "../src/onnx/tensor.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import { train } from "../src/train/train.ts";

const folder = new URL("goldens/zoo/", import.meta.url).pathname;
const read = (name: string) => new Uint8Array(readFileSync(join(folder, name)));
const files = readdirSync(folder).filter((name) => name.endsWith(".onnx"));
const runtime = nodeRuntime({ threads: 1 });

describe("a file's bytes", () => {
  it.each(files)("%s says the same when it is written with one copy", (name) => {
    const proto = fromBinary(ModelProtoSchema, read(name));
    const expected = fromBinary(ModelProtoSchema, toBinary(ModelProtoSchema, proto));
    expect(fromBinary(ModelProtoSchema, serializeModel(proto))).toEqual(expected);
  });

  it("are not kept by a view of them", () => {
    const normalization = { mean: [0.5], standardDeviation: [0.25] };
    const bytes = encodeModelFile(mlp({ input: [1, 2, 4], hidden: [8], outputs: 2, normalization }));
    const model = decodeModel(bytes);
    expect(model.nodes.some(({ op }) => op === "Constant")).toBe(true);
    const buffers = new Set<ArrayBufferLike>();
    const collect = (value: unknown): void => {
      if (ArrayBuffer.isView(value)) buffers.add(value.buffer as ArrayBuffer);
      else if (value instanceof Map) value.forEach(collect);
      else if (typeof value === "object" && value !== null) Object.values(value).forEach(collect);
    };
    collect(model);
    expect(buffers.size).toBeGreaterThan(4);
    expect(buffers.has(bytes.buffer)).toBe(false);
    const sizes = [...buffers].reduce((total, { byteLength }) => total + byteLength, 0);
    expect(sizes).toBeLessThan(bytes.length);
  });

  it("of one data file are asked for once", () => {
    const name = files.find((file) => file.includes("external")) ?? "";
    const asked: string[] = [];
    const model = decodeModel(read(name), {
      external: (location) => {
        asked.push(location);
        return read(location);
      },
    });
    expect(model.initializers.size).toBeGreaterThan(5);
    expect(asked).toEqual([`${name}.data`]);
  });

  it("are shared by a message, its model and edits of it", () => {
    const model = decodeModel(encodeModelFile(mlp({ input: [8], hidden: [8], outputs: 2 })));
    const edited = insertIntoModel(withMetadata(model, { key: "text" }), {
      initializers: new Map(),
      nodes: [],
      replaced: new Map(),
    });
    for (const [name, { data }] of model.initializers) {
      const stored = model.proto.graph?.initializer.find((tensor) => tensor.name === name);
      expect(stored?.rawData).toEqual(bytesOf(data));
      expect(stored?.rawData.buffer).toBe(data.buffer);
      expect(edited.initializers.get(name)?.data.buffer).toBe(data.buffer);
    }
    expect(encodeModel(edited, new Map())).toEqual(
      encodeModel(withMetadata(model, { key: "text" }), new Map()),
    );
  });
});

describe("parameters", () => {
  const graph = mlp({ input: [4], hidden: [6], outputs: 3, seed: 1 });
  const compile = (options: Partial<Parameters<typeof compileObjective>[0]>) =>
    compileObjective({ model: graph, loss: crossEntropy(), runtime, batch: 2, ...options });

  it("are copies of a model that is given, and its own numbers where that is wanted", async () => {
    const model = decodeModel(encodeModelFile(graph));
    const [copied, inPlace] = [await compile({ model }), await compile({ model, inPlace: true })];
    expect(Object.keys(copied.parameters)).toHaveLength(4);
    for (const [name, { data }] of Object.entries(copied.parameters)) {
      expect(data.buffer).not.toBe(model.initializers.get(name)?.data.buffer);
      expect(inPlace.parameters[name]?.data.buffer).toBe(model.initializers.get(name)?.data.buffer);
    }
  });

  it("train to the same file in place, and leave a graph as it was without", async () => {
    const settings = {
      examples: {
        inputs: Float32Array.from({ length: 40 }, (_, place) => Math.sin(place)),
        labels: Int32Array.from({ length: 10 }, (_, place) => place % 3),
      },
      validation: 0,
      batch: 5,
      steps: 4,
      runtime,
    };
    const trained = async (inPlace: boolean) => {
      const model = decodeModel(encodeModelFile(graph));
      const before = encodeModel(model, new Map());
      for await (const event of train({ ...settings, model, inPlace }))
        if (event.kind === "done")
          return { before, after: encodeModel(model, new Map()), result: event.model };
      throw new Error("the run did not end");
    };
    const [apart, inPlace] = [await trained(false), await trained(true)];
    expect(inPlace.result).toEqual(apart.result);
    expect(apart.after).toEqual(apart.before);
    const numbers = (bytes: Uint8Array) => decodeModel(bytes).initializers;
    expect(numbers(inPlace.after)).toEqual(numbers(inPlace.result));
    expect(numbers(inPlace.after)).not.toEqual(numbers(inPlace.before));
  });
});
