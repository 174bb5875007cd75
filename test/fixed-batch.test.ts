import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as ort from "onnxruntime-node";
import { describe, expect, it } from "vitest";
import { exactGradient } from "../src/estimate/exact.ts";
import { crossEntropy } from "../src/losses/cross-entropy.ts";
import { compileObjective } from "../src/objective/compile-objective.ts";
import { decodeModel } from "../src/onnx/decode.ts";
import { encodeGraph } from "../src/onnx/encode.ts";
import { float32, type Tensor, tensorOf, toNumbers } from "../src/onnx/tensor.ts";
import { GraphBuilder } from "../src/ops/full-builder.ts";
import { keyFromSeed } from "../src/random/threefry.ts";
import { evaluate } from "../src/runtime/evaluate.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import { train } from "../src/train/train.ts";

const folder = join(import.meta.dirname, "cases/fixed-batch");
const runtime = nodeRuntime({ threads: 1 });
const bytes = (name: string) => new Uint8Array(readFileSync(join(folder, `${name}.onnx`)));
const example = (name: string): { shape: number[]; x: number[]; y: number[] } =>
  JSON.parse(readFileSync(join(folder, `${name}.json`), "utf8"));
const all = readdirSync(folder).flatMap((file) => (file.endsWith(".onnx") ? [file.slice(0, -5)] : []));
const openable = all.filter((name) => name !== "coupled");
const fixedOf = (name: string) => decodeModel(bytes(name)).inputs[0]?.dimensions?.[0] as number;

describe("a model whose file fixes its batch", () => {
  it.each(openable)("reads as many examples as asked for, each with its own result: %s", async (name) => {
    const { shape, x, y } = example(name);
    const batch = shape[0] as number;
    const model = bytes(name);
    const loss = crossEntropy();
    const {
      graph,
      notes,
      output,
      batch: taken,
      parameters,
    } = await compileObjective({ model, runtime, loss, batch });
    expect(taken).toBe(batch);
    expect(notes.map(String)).toEqual([expect.stringMatching(/exported for batches of \d; steps read/)]);
    const [input] = decodeModel(model).inputs;
    const results = await evaluate(runtime, graph, {
      ...parameters,
      [input?.name as string]: tensorOf("float32", x, shape),
      labels: tensorOf("int64", new Array(batch).fill(0), [batch]),
    });
    const logits = toNumbers(results[output] as Tensor);
    expect(logits).toHaveLength(y.length);
    for (const [place, value] of logits.entries()) expect(value).toBeCloseTo(y[place] as number, 4);
  });

  it.each(["tokens-script-1", "encoder-script-1", "lstm-script-1", "tokens-dynamo-2"])(
    "has the mean of its own batches' gradients: %s",
    async (name) => {
      const { shape, x } = example(name);
      const fixed = fixedOf(name);
      const batch = fixed * Math.floor((shape[0] as number) / fixed);
      const size = x.length / (shape[0] as number);
      // Export has folded the class token's expansion into a row for each example of a batch: what counts is their sum.
      const at = (values: Float32Array | undefined, place: number, key: string) =>
        key === "expand"
          ? Number(values?.[place % 8]) + Number(values?.[8 + (place % 8)])
          : Number(values?.[place]);
      const gradientsOf = async (first: number, count: number) => {
        const objective = await compileObjective({
          model: bytes(name),
          runtime,
          loss: crossEntropy(),
          batch: count,
        });
        const exact = await exactGradient(objective);
        const input = objective.model.inputs[0]?.name as string;
        const labels = Array.from({ length: count }, (_, place) => (first + place) % 2);
        const { gradients } = await exact.estimate(
          {
            ...objective.parameters,
            [input]: tensorOf("float32", x.slice(first * size, (first + count) * size), [
              count,
              ...shape.slice(1),
            ]),
            labels: tensorOf("int64", labels, [count]),
          },
          keyFromSeed(0),
        );
        const copies = Object.entries(gradients).map(([key, values]) => [key, values.slice()] as const);
        await exact.release();
        return Object.fromEntries(copies);
      };
      const whole = await gradientsOf(0, batch);
      const parts: Record<string, Float32Array>[] = [];
      for (let first = 0; first < batch; first += fixed) parts.push(await gradientsOf(first, fixed));
      for (const [key, values] of Object.entries(whole))
        for (const [place, value] of values.entries()) {
          const mean = parts.reduce((sum, part) => sum + at(part[key], place, key), 0) / parts.length;
          expect(at(values, place, key), key).toBeCloseTo(mean, 5);
          // Copies of one row for each example of a batch stay copies.
          if (key === "expand") expect(value).toBe(values[place % 8]);
        }
    },
  );

  it.each(["views-script-1", "tokens-dynamo-2"])("is saved as the file was: %s", async (name) => {
    const { shape, x } = example(name);
    const count = 40;
    const size = x.length / (shape[0] as number);
    const inputs = Float32Array.from({ length: count * size }, (_, place) => x[place % x.length] as number);
    const labels = Int32Array.from({ length: count }, (_, index) => index % 3);
    const events = train({ model: bytes(name), examples: { inputs, labels }, runtime, batch: 12, epochs: 2 });
    for await (const event of events) {
      if (event.kind === "start") expect(event).toMatchObject({ batch: 12, steps: 6 });
      if (event.kind !== "done") continue;
      const [before, after] = [decodeModel(bytes(name)), decodeModel(event.model)];
      expect(after.inputs).toEqual(before.inputs);
      expect(after.outputs).toEqual(before.outputs);
      expect(after.nodes).toEqual(before.nodes);
      expect([...after.initializers.keys()]).toEqual([...before.initializers.keys()]);
      expect(after.initializers).not.toEqual(before.initializers);
      const session = await ort.InferenceSession.create(event.model);
      const batch = [fixedOf(name), ...shape.slice(1)];
      const feed = new ort.Tensor("float32", inputs.slice(0, size * fixedOf(name)), batch);
      expect(
        (await session.run({ [before.inputs[0]?.name as string]: feed }))[before.outputs[0]?.name as string],
      ).toBeDefined();
    }
  });

  it("keeps its batch where its examples get other results in another one, and says so before it starts", async () => {
    const { shape, x, y } = example("coupled");
    const settings = { model: bytes("coupled"), runtime, loss: crossEntropy(), batch: shape[0] as number };
    const { batch, notes } = await compileObjective(settings);
    expect(y).toHaveLength(14);
    expect(x).toHaveLength(28);
    expect(batch).toBe(4);
    expect(notes.map(String)).toEqual([
      expect.stringMatching(
        /reads batches of 4, and steps do, too, instead of 7: .*other results.*open batch axis/,
      ),
    ]);
  });

  it("keeps its batch where a node holds it, which is named", async () => {
    const g = new GraphBuilder("held");
    const input = g.input("x", "float32", [2, 3]);
    const weights = g.parameter("w", float32([1, 2, 3, 4, 5, 6], [2, 3]));
    const model = encodeGraph(g.build({ y: g.mul(input, weights) }));
    const { batch, notes } = await compileObjective({ model, runtime, loss: crossEntropy(), batch: 5 });
    expect(batch).toBe(2);
    expect(notes.map(String)).toEqual([
      expect.stringMatching(/instead of 5: that stops at Mul node '.*\[5, 3\].*\[2, 3\]/),
    ]);
  });

  it("is left alone where it is the batch that was asked for", async () => {
    const model = bytes("views-dynamo-4");
    const { batch, notes } = await compileObjective({ model, runtime, loss: crossEntropy(), batch: 4 });
    expect({ batch, notes }).toEqual({ batch: 4, notes: [] });
  });
});
