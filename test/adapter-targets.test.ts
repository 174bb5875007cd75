import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { adaptModel } from "../src/objective/adapters/adapt-model.ts";
import { withHead } from "../src/objective/heads/with-head.ts";
import { modelFrom } from "../src/objective/importing/model-file.ts";
import { encodeModel } from "../src/onnx/encode.ts";
import type { Model } from "../src/onnx/read-model.ts";
import { float32, int64, type Tensor } from "../src/onnx/tensor.ts";
import { GraphBuilder } from "../src/ops/full-builder.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import { loadModel } from "../src/storage/node-model.ts";
import { train } from "../src/train/train.ts";
import { relativeError } from "./relative-error.ts";

const goldens = join(import.meta.dirname, "goldens");
const runtime = nodeRuntime({ threads: 1 });
const open = async (path: string) =>
  modelFrom(loadModel(join(goldens, path.includes("/") ? path : `zoo/${path}`)));

/** The nodes that multiply by what was chosen, or its own name where that says something. */
async function chosenIn(path: string): Promise<{ names: string[]; note: string }> {
  const model = await open(path);
  const { parameters, note } = adaptModel(model, { rank: 1 });
  const names = parameters
    .filter((name) => name.endsWith("A"))
    .map((name) => name.slice(0, -".lora_A".length));
  const readBy = (name: string) => model.nodes.find(({ inputs }) => inputs.includes(name))?.name;
  return {
    names: names.map((name) => (/\d/.test(name) ? (readBy(name) ?? name) : name)),
    note: note.message,
  };
}

const projections = (layers: readonly string[], [query, value]: readonly [string, string], suffix = "") =>
  layers.flatMap((layer) => [`${layer}/${query}/MatMul${suffix}`, `${layer}/${value}/MatMul${suffix}`]);
const bert = ["/layers.0", "/layers.1"];
const own = ["query", "value"] as const;

describe("adapters of which nobody says where", () => {
  it.each([
    ["bert-opset13.onnx", projections(bert, own)],
    ["bert-extended-opset17.onnx", projections(bert, own)],
    ["bert-float16-opset17.onnx", projections(bert, own)],
    ["bert-nbits-opset17.onnx", projections(bert, own, "_Q4")],
    ["llama-bfloat16-opset17.onnx", projections(["/blocks.0/attention", "/blocks.1/attention"], own)],
    ["llama-nbits-opset17.onnx", projections(["/blocks.0/attention", "/blocks.1/attention"], own, "_Q4")],
    ["llama-dynamo23.onnx", ["node_linear", "node_linear_2", "node_linear_7", "node_linear_9"]],
    ["adapters/distilbert.onnx", projections(["/model/transformer/layer.0/attention"], ["q_lin", "v_lin"])],
    [
      "adapters/distilbert-int8.onnx",
      projections(["/model/transformer/layer.0/attention"], ["q_lin", "v_lin"], "_quant"),
    ],
  ])("stand beside the projections to queries and values in %s", async (file, expected) => {
    const { names, note } = await chosenIn(file);
    expect(names).toEqual(expected);
    expect(note).toMatch(
      /^Adapters of rank 1 stand beside \d+ matrices, the projections to queries and values of (one attention|2 attentions)\. adapter\.target chooses others by name: '/,
    );
  });

  it.each([
    ["gpt2-unfolded-dynamo18.onnx", 1],
    ["gpt-opset17.onnx", 2],
    ["gpt-dynamo23.onnx", 2],
    ["gpt-optimized-opset17.onnx", 2],
    ["bert-optimized-opset17.onnx", 2],
    ["vit-dynamo18.onnx", 2],
    ["vit-optimized-opset17.onnx", 2],
    ["swin-unfolded-dynamo18.onnx", 3],
    ["encoder-opset17.onnx", 2],
  ])("stand beside what makes queries, keys and values at once in %s", async (file, count) => {
    const { names, note } = await chosenIn(file);
    expect(names.length).toBe(count);
    expect(note).toMatch(/the matrices that make queries, keys and values at once, of/);
  });

  it.each(["adapters/distilbert-qdq.onnx", "adapters/bert-heads.onnx", "adapters/distilbert-anonymous.onnx"])(
    "are found by what the graph computes in %s",
    async (file) => {
      const model = await open(file);
      const { parameters } = adaptModel(model, { rank: 1 });
      expect(parameters.length).toBe(file.includes("bert-heads") ? 8 : 4);
      // The queries' and values' matrices are those whose numbers the file with names has there.
      if (!file.includes("anonymous")) return;
      const named = await open("adapters/distilbert.onnx");
      const expected = adaptModel(named, { rank: 1 }).parameters;
      const numbers = (each: Model, name: string) =>
        each.initializers.get(name.replace(/\.lora_.$/, ""))?.data;
      expect(parameters.map((name) => numbers(model, name))).toEqual(
        expected.map((name) => numbers(named, name)),
      );
    },
  );

  it.each([
    ["resnet-opset17.onnx", 13],
    ["gru-dynamo18.onnx", 4],
    ["tabular-opset13.onnx", 3],
  ])("stand beside all that layers of %s multiply by, tables of embeddings excepted", async (file, count) => {
    const { names, note } = await chosenIn(file);
    expect(names.length).toBe(count);
    expect(note).toMatch(/all that its layers multiply by: it has no attention\./);
  });

  it("leave a new head to be trained as it is", async () => {
    const model = await withHead(await open("resnet-opset17.onnx"), { outputs: 2 });
    expect(adaptModel(model, { rank: 1 }).parameters.join()).not.toContain("head.");
  });

  it("are refused where nothing fits, with what would", () => {
    const g = new GraphBuilder("scaled");
    const scale = g.parameter("scale", float32([1, 2, 3]));
    const bytes = g.build({ y: g.mul(g.input("x", "float32", [2, 3]), scale) });
    return expect(modelFrom(bytes).then((model) => adaptModel(model, { rank: 1 }))).rejects.toThrow(
      /has no stored matrix that adapters could stand beside: none in float32 with 2 axes.*Leave adapter out/,
    );
  });

  it("can be chosen by the name of the node where an exporter counted the matrices", async () => {
    const model = await open("bert-opset13.onnx");
    const { parameters, note } = adaptModel(model, { rank: 1, target: (name) => /\.0\/up/.test(name) });
    expect(parameters).toEqual(["onnx::MatMul_366.lora_A", "onnx::MatMul_366.lora_B"]);
    expect(note.message).toBe("Adapters of rank 1 stand beside 1 matrix, as chosen: '/layers.0/up/MatMul'.");
    expect(() => adaptModel(model, { rank: 1, target: () => false })).toThrow(
      /'onnx::MatMul_366' \(read by '\/layers\.0\/up\/MatMul'\)/,
    );
  });
});

const tokens = [3, 7, 1, 20, 11, 2, 5, 5, 9, 14, 0, 23];
const feeds = {
  input_ids: int64(tokens, [2, 6]),
  attention_mask: int64(
    tokens.map(() => 1),
    [2, 6],
  ),
};

async function hidden(model: Model, replaced: ReadonlyMap<string, Tensor>): Promise<Float32Array> {
  const session = await runtime.createSession(encodeModel(model, replaced));
  const { last_hidden_state: found } = await session.run(feeds);
  await session.release();
  return found?.data as Float32Array;
}

describe("adapters of products of integers, as quantize_dynamic writes them", () => {
  /** Adapters of one matrix whose numbers are no zeros. */
  async function adapted(path: string) {
    const model = await open(path);
    const made = adaptModel(model, { rank: 2, alpha: 4, target: (name) => name.includes("v_lin") });
    const values = made.parameters.map((name, index) => {
      const tensor = made.model.initializers.get(name) as Tensor;
      return [
        name,
        {
          ...tensor,
          data: Float32Array.from({ length: tensor.data.length }, (_, at) => 4 * Math.cos(at + 3 * index)),
        },
      ] as const;
    });
    return { ...made, base: model, values: new Map<string, Tensor>(values) };
  }

  it("change the result as those of the floats do", async () => {
    const [floats, integers] = [
      await adapted("adapters/distilbert.onnx"),
      await adapted("adapters/distilbert-int8.onnx"),
    ];
    // The float file stores W [in, out], a product of integers adds x Aᵀ Bᵀ: what is A here is Bᵀ there.
    const [a, b] = floats.parameters.map((name) => floats.values.get(name) as Tensor) as [Tensor, Tensor];
    const [a8 = "", b8 = ""] = integers.parameters;
    const swapped = new Map([
      [a8, transposed(b)],
      [b8, transposed(a)],
    ]);
    const changed = await hidden(floats.model, floats.values);
    const [plain, rounded] = [await hidden(floats.base, new Map()), await hidden(integers.model, swapped)];
    expect(relativeError(rounded, changed)).toBeLessThan(0.05);
    expect(relativeError(plain, changed)).toBeGreaterThan(0.1);
    expect(integers.merge).toBeUndefined();
  });

  it("are trained, and saved apart from the integers, which stay as they are", async () => {
    const base = await withHead(loadModel(join(goldens, "adapters/distilbert-int8.onnx")), { outputs: 2 });
    const inputs = Float32Array.from(
      { length: 240 },
      (_, index) => (index * 7 + Math.floor(index / 6) * 5) % 24,
    );
    const labels = Int32Array.from({ length: 40 }, (_, row) => ((inputs[6 * row] as number) > 11 ? 1 : 0));
    const furtherInputs = { attention_mask: { shape: [6], values: new Float32Array(240).fill(1) } };
    const examples = { inputs, labels, shape: [6], count: 40, furtherInputs };
    const losses: number[] = [];
    let saved: Uint8Array | undefined;
    for await (const event of train({
      ...{ model: base, examples, runtime, adapter: { rank: 2 }, optimizer: "adam", learningRate: 0.02 },
      ...{ steps: 40, batch: 40, validation: 0, gradient: "exact" },
    })) {
      if (event.kind === "step") losses.push(event.loss);
      if (event.kind === "done") saved = event.model;
    }
    expect(losses.at(-1)).toBeLessThan(0.9 * (losses[0] as number));
    const after = await modelFrom(saved as Uint8Array);
    for (const [name, tensor] of base.initializers)
      if (!name.startsWith("head.")) expect(after.initializers.get(name), name).toEqual(tensor);
    expect([...after.initializers.keys()].filter((name) => name.includes("lora_")).length).toBe(4);
    const session = await runtime.createSession(saved as Uint8Array);
    expect((await session.run(feeds)).logits?.shape).toEqual([2, 2]);
    await session.release();
  });
});

/** A matrix with its axes swapped. */
function transposed({ data, shape: [rows = 1, columns = 1] }: Tensor): Tensor {
  const numbers = Float32Array.from({ length: rows * columns }, (_, at) =>
    Number(data[(at % rows) * columns + Math.floor(at / rows)]),
  );
  return float32(numbers, [columns, rows]);
}
