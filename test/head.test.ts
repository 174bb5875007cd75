/** A new head on files that PyTorch's exporters write: what it reads, what is trained, and what is saved. */
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import * as ort from "onnxruntime-node";
import { describe, expect, it } from "vitest";
import { SettingError } from "../src/errors/errors.ts";
import { crossEntropy } from "../src/losses/cross-entropy.ts";
import { mlp } from "../src/models/mlp.ts";
import { compileObjective } from "../src/objective/compile-objective.ts";
import type { HeadOptions } from "../src/objective/heads/head-options.ts";
import { withHead } from "../src/objective/heads/with-head.ts";
import { encodeModelFile } from "../src/objective/importing/model-file.ts";
import { decodeModel } from "../src/onnx/decode.ts";
import { encodeModel } from "../src/onnx/encode.ts";
import type { Model } from "../src/onnx/read-model.ts";
import { float32 } from "../src/onnx/tensor.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import { loadModel } from "../src/storage/node-model.ts";
import type { TrainEvent } from "../src/train/events.ts";
import type { TrainOptions } from "../src/train/settings/options.ts";
import { train } from "../src/train/train.ts";
import { memory } from "./circle.ts";
import { run, temporaryFolder } from "./cli.ts";
import { fromGolden, type GoldenTensors } from "./golden.ts";
import { relativeError } from "./relative-error.ts";

const runtime = nodeRuntime({ threads: 1 });
const folder = resolve(import.meta.dirname, "cases/heads");
const zoo = resolve(import.meta.dirname, "goldens/zoo");

/** PyTorch's logits of a linear layer with these sines and cosines. */
interface Golden {
  readonly inputs: GoldenTensors;
  readonly logits: Readonly<Record<NonNullable<HeadOptions["pool"]>, number[]>>;
}
const golden = JSON.parse(readFileSync(join(folder, "heads.json"), "utf8")) as Record<string, Golden>;
const bodies = Object.keys(golden).flatMap((name) => [
  [name, `${name}-opset17.onnx`] as const,
  [name, `${name}-dynamo18.onnx`] as const,
]);

const wave = (size: number, from: (value: number) => number) =>
  Float32Array.from({ length: size }, (_, index) => from(index));

/** The head's numbers of the golden file. */
function withWaves({ head, initializers }: Model): Map<string, ReturnType<typeof float32>> {
  const [weight = "", bias = ""] = head?.parameters ?? [];
  const { shape = [] } = initializers.get(weight) ?? {};
  const [outputs = 0, width = 0] = shape;
  return new Map([
    [weight, float32(wave(outputs * width, Math.sin), shape)],
    [bias, float32(wave(outputs, Math.cos), [outputs])],
  ]);
}

describe("a head on a body of transformers", () => {
  it.each(bodies)("%s (%s) computes what PyTorch computes, for every pool", async (name, file) => {
    const { inputs, logits } = golden[name] as Golden;
    for (const [pool, expected] of Object.entries(logits)) {
      const model = await withHead(loadModel(join(folder, file)), { outputs: 4, pool: pool as "mean" });
      const bytes = encodeModel(model, withWaves(model));
      const session = await ort.InferenceSession.create(bytes);
      const feeds = Object.entries(inputs).map(([each, tensor]) => {
        const { shape, data, dtype } = fromGolden(tensor, each === "pixel_values" ? "float32" : "int64");
        return [each, new ort.Tensor(dtype as "float32", data as Float32Array, shape as number[])] as const;
      });
      const results = await session.run(Object.fromEntries(feeds));
      expect(Object.keys(results)).toEqual(["logits"]);
      expect(relativeError(results.logits?.data as Float32Array, expected), pool).toBeLessThan(1e-5);
      await session.release();
    }
  });

  it("begins as PyTorch's Linear, and another seed gives other numbers", async () => {
    const model = (seed: number) =>
      withHead(loadModel(join(folder, "vit-opset17.onnx")), { outputs: 200, seed });
    const numbers = async (seed: number, part: "weight" | "bias") =>
      (await model(seed)).initializers.get(`head.${part}`)?.data as Float32Array;
    const weight = await numbers(0, "weight");
    const bound = 1 / Math.sqrt(8);
    const spread = Math.sqrt(weight.reduce((sum, value) => sum + value ** 2, 0) / weight.length);
    expect(Math.max(...weight.map(Math.abs))).toBeLessThanOrEqual(bound);
    expect(spread / (bound / Math.sqrt(3))).toBeCloseTo(1, 1);
    expect(await numbers(1, "weight")).not.toEqual(weight);
    expect(await numbers(0, "bias")).not.toEqual(weight.slice(0, 200));
  });
});

describe("a head that is put on a classifier", () => {
  it.each([
    ["bert-opset13.onnx", "Tanh_output_0", "classifier/Gemm", 8],
    ["bert-dynamo18.onnx", "tanh", "node_linear_13", 8],
    ["bert-float16-opset17.onnx", "Tanh_output_0", "classifier/Gemm", 8],
    ["bert-nbits-opset17.onnx", "Tanh_output_0", "classifier/Gemm", 8],
    ["vit-opset17.onnx", "Gather_4_output_0", "heads/head/Gemm", 8],
    ["vit-dynamo18.onnx", "select_6", "node_linear_8", 8],
    ["resnet-opset17.onnx", "Flatten_output_0", "fc/Gemm", 10],
    ["resnet-dynamo18.onnx", "view", "node_linear", 10],
    ["gpt-opset17.onnx", "norm/LayerNormalization_output_0", "head/MatMul", 8],
    ["gpt-dynamo18.onnx", "layer_norm_4", "node_linear_8", 8],
    ["llama-nbits-opset17.onnx", "norm/Mul_1_output_0", "head/MatMul_Q4", 16],
    ["encoder-rows-opset17.onnx", "ReduceMean_output_0", "classifier/Gemm_MatMul", 8],
  ])("%s reads '%s', and %s is gone from the file", async (file, from, cut, width) => {
    const base = loadModel(join(zoo, file));
    const model = await withHead(base, { outputs: 3 });
    expect(model.head?.from).toMatch(new RegExp(`^/?${from}$`));
    expect(model.head?.cut).toMatch(new RegExp(`'/?${cut}'$`));
    const [weight = "", bias = ""] = model.head?.parameters ?? [];
    expect(model.initializers.get(weight)?.shape).toEqual([3, width]);
    const bytes = encodeModel(model, new Map());
    const saved = decodeModel(bytes);
    expect(saved.nodes.map(({ name }) => name.replace(/^\//, ""))).not.toContain(cut);
    expect(saved.outputs.map(({ name, dimensions }) => [name, dimensions])).toEqual([
      ["logits", ["batch", 3]],
    ]);
    expect(saved.inputs).toEqual(base.inputs);
    expect(saved.initializers.get(bias)?.dtype).toBe("float32");
    // All that stays is stored as it was.
    for (const [name, { dtype, data }] of saved.initializers)
      if (base.initializers.has(name))
        expect([dtype, data]).toEqual([
          base.initializers.get(name)?.dtype,
          base.initializers.get(name)?.data,
        ]);
    await (await ort.InferenceSession.create(bytes)).release();
  });

  it("takes the value that is chosen, and puts a second head in the place of the first", async () => {
    const base = loadModel(join(zoo, "resnet-opset17.onnx"));
    const chosen = await withHead(base, { outputs: 2, from: "/Flatten_output_0" });
    expect(chosen.head).toMatchObject({
      from: "/Flatten_output_0",
      parameters: ["head.weight", "head.bias"],
    });
    const again = await withHead(encodeModel(chosen, new Map()), { outputs: 5 });
    expect(again.head).toMatchObject({
      cut: "Gemm node 'head/Gemm'",
      parameters: ["head.weight", "head.bias"],
    });
    expect(again.initializers.get("head.weight")?.shape).toEqual([5, 10]);
  });

  it.each([
    [
      { from: "/Flaten_output_0" },
      /no value '\/Flaten_output_0'.*Did you mean '\/Flatten_output_0'\?.*'\/Flatten_output_0' \[\?, 10\]/,
    ],
    [
      { from: "/Flatten_output_0", pool: "first" },
      /'\/Flatten_output_0' \[\?, 10\] has no positions, and head.pool: "first"/,
    ],
    [
      { from: "/layer1/layer1.0/conv1/Conv_output_0", pool: "last" },
      /has positions on several axes.*head.pool: "mean"/,
    ],
    [{ outputs: 0 }, /head.outputs must be a whole number from 1, received 0/],
    [{ outputs: undefined }, /withHead needs head.outputs/],
    [{ pool: "clss" }, /head.pool must be mean, first, last or none/],
  ] as [object, RegExp][])("refuses %o", async (options, message) => {
    const model = loadModel(join(zoo, "resnet-opset17.onnx"));
    const error = await withHead(model, { outputs: 3, ...options } as HeadOptions).catch((each) => each);
    expect(error).toBeInstanceOf(SettingError);
    expect((error as Error).message).toMatch(message);
  });
});

// Pictures of three kinds: one of their three channels is brighter.
const count = 240;
const labels = Int32Array.from({ length: count }, (_, index) => index % 3);
const pixels = Float32Array.from({ length: count * 192 }, (_, place) => {
  const [index, channel] = [Math.floor(place / 192), Math.floor((place % 192) / 64)];
  return (channel === index % 3 ? 1 : 0) + 0.5 * Math.sin(place * 12.9898 + index);
});
const examples = { inputs: pixels, labels, shape: [3, 8, 8], count };
const vit = join(folder, "vit-opset17.onnx");

type Done = Extract<TrainEvent, { kind: "done" }>;
async function trained(options: Partial<TrainOptions> & Pick<TrainOptions, "model">) {
  const events: TrainEvent[] = [];
  const settings = {
    examples,
    runtime,
    batch: 24,
    steps: 60,
    optimizer: "adam",
    learningRate: 0.02,
  } as const;
  for await (const event of train({ ...settings, ...options })) events.push(event);
  const start = events.find((event) => event.kind === "start") as Extract<TrainEvent, { kind: "start" }>;
  const losses = events.flatMap((event) => (event.kind === "step" ? [event.loss] : []));
  return { start, losses, done: events.find((event): event is Done => event.kind === "done"), events };
}

/** Names of the tensors that differ. */
function changed(before: Model, after: Uint8Array): string[] {
  const { initializers } = decodeModel(after);
  return [...before.initializers].flatMap(([name, { data }]) =>
    initializers.get(name)?.data.join() === data.join() ? [] : [name],
  );
}

describe("training a model with a new head", () => {
  it("trains the head alone, by its exact gradient, and says so", async () => {
    const model = await withHead(loadModel(vit), { outputs: 3 });
    const { start, done, losses } = await trained({ model, learningRate: 0.1 });
    expect(start).toMatchObject({ trained: ["head.weight", "head.bias"], parameters: 27, tangents: 0 });
    expect(start.notes.map(({ message }) => message).join(" ")).toMatch(
      /A new head of 3 outputs reads 'last_hidden_state' \[\?, 5, 8\] .*mean over positions.* The head alone is trained/,
    );
    expect(changed(model, done?.model as Uint8Array)).toEqual(["head.weight", "head.bias"]);
    expect(losses.at(-1)).toBeLessThan(0.9 * (losses[0] as number));
  });

  it.each(["mean", "first", "last"] as const)("has no name that derived graphs need: %s", async (pool) => {
    const texts = loadModel(resolve(import.meta.dirname, "cases/texts/encoder.onnx"));
    const model = await withHead(texts, { outputs: 2, pool });
    const dimensions = { sequence: 4 };
    const objective = await compileObjective({ model, loss: crossEntropy(), runtime, batch: 2, dimensions });
    expect(Object.keys(objective.parameters)).toContain("head.weight");
  });

  it("trains norms with it, and draws tangents where they are asked for", async () => {
    const model = await withHead(loadModel(vit), { outputs: 3, beside: "norms" });
    const { start, done } = await trained({ model, steps: 3 });
    const isNorm = (name: string) => name.startsWith("head.") || /layernorm/.test(name);
    expect(start.trained.length).toBe(2 + 10);
    expect(start.trained.every(isNorm)).toBe(true);
    expect(start.tangents).toBe(16);
    expect(changed(model, done?.model as Uint8Array).every(isNorm)).toBe(true);
    const alone = await withHead(loadModel(vit), { outputs: 3 });
    expect((await trained({ model: alone, steps: 1, perturb: "weights" })).start.tangents).toBe(16);
    const all = await withHead(loadModel(vit), { outputs: 3, beside: "all" });
    expect((await trained({ model: all, steps: 1 })).start.trained.length).toBeGreaterThan(30);
  });

  it("merges adapters into the file with the head", async () => {
    const model = await withHead(loadModel(vit), { outputs: 3 });
    const isMatrix = (name: string) => name.includes("MatMul");
    const { start, done } = await trained({ model, steps: 6, adapter: { rank: 2, target: isMatrix } });
    const adapters = start.trained.filter((name) => name.includes(".lora_"));
    expect(start.trained.length).toBe(2 + adapters.length);
    expect(adapters.length).toBeGreaterThan(2);
    const saved = decodeModel(done?.model as Uint8Array);
    expect([...saved.initializers.keys()]).toEqual([...model.initializers.keys()]);
    expect(changed(model, done?.model as Uint8Array)).toEqual(
      expect.arrayContaining(["head.weight", "head.bias"]),
    );
    expect(done?.result.validationLoss).toBeGreaterThan(0);
  });

  it("trains the head first, then the rest; a stopped run goes on to the same bytes", async () => {
    const model = await withHead(loadModel(vit), { outputs: 3, alone: 0.5, beside: "norms" });
    const options = { model, steps: 12, checkpointSeconds: 0 };
    const whole = await trained(options);
    expect(whole.start.notes.map(({ message }) => message).join(" ")).toMatch(
      /In the first 6 of 12 steps, the head alone/,
    );
    expect(changed(model, whole.done?.model as Uint8Array).length).toBe(12);
    for (const until of [3, 6, 9]) {
      const store = memory();
      const stop = new AbortController();
      let halfway: Uint8Array | undefined;
      for await (const event of train({
        ...{
          examples,
          runtime,
          batch: 24,
          optimizer: "adam",
          learningRate: 0.02,
          store,
          signal: stop.signal,
        },
        ...options,
      }))
        if (event.kind === "step" && event.step === until) stop.abort();
        else if (event.kind === "interrupted") halfway = store.files.get("checkpoint/state.safetensors");
      expect(halfway?.length).toBeGreaterThan(0);
      const { done } = await trained({ ...options, store, resume: true });
      expect(done?.model, `stopped at ${until}`).toEqual(whole.done?.model);
    }
    const other = await withHead(loadModel(vit), { outputs: 3, alone: 0.25, beside: "norms" });
    const store = memory();
    await trained({ ...options, store });
    await expect(trained({ ...options, model: other, store, resume: true })).rejects.toThrow(
      /headAlone was 0.5, now 0.25/,
    );
  });

  it("refuses what has no effect", async () => {
    const first = await withHead(loadModel(vit), { outputs: 3, alone: 0.5 });
    await expect(trained({ model: first })).rejects.toThrow(
      /head.alone: 0.5 has no effect with nothing that is trained beside/,
    );
    const all = await withHead(loadModel(vit), { outputs: 3, beside: "all" });
    await expect(trained({ model: all, adapter: { rank: 1 } })).rejects.toThrow(
      /head.beside: "all" has no effect with adapter/,
    );
  });
});

describe("the command line", () => {
  it("puts a head on a file, as large as the data have classes", () => {
    const folder = temporaryFolder();
    const [model, out] = [join(folder, "base.onnx"), join(folder, "run")];
    writeFileSync(model, encodeModelFile(mlp({ input: [1, 28, 28], hidden: [12], outputs: 7 })));
    const flags = ["--data", "glyphs", "--steps", "2", "--out", out];
    const { status, stderr } = run(["train", "--model", model, "--head-from", "x", ...flags]);
    expect([status, stderr]).toEqual([
      1,
      expect.stringContaining("--head-from has no effect without a new head; add --head"),
    ]);
    expect(run(["train", "--head", ...flags]).stderr).toContain("--head goes with a model file");
    const done = run(["train", "--model", model, "--head", ...flags]);
    expect(done.stderr).toMatch(/A new head of 10 outputs reads 'layer1\/.*' \[\?, 12\] \(--head-from\)/);
    expect(done.stderr).toMatch(/130 parameters/);
    expect(done.status).toBe(0);
    expect(loadModel(join(out, "model.onnx")).outputs[0]?.dimensions).toEqual(["batch", 10]);
  });
});
