import { readFileSync } from "node:fs";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { derivativeGraph } from "../src/ad/derivatives.ts";
import { meanSquaredError } from "../src/losses/mean-squared-error.ts";
import { adaptModel } from "../src/objective/adapters/adapt-model.ts";
import { compileObjective } from "../src/objective/compile-objective.ts";
import { decodeModel } from "../src/onnx/decode.ts";
import { encodeGraph, encodeModel } from "../src/onnx/encode.ts";
import type { Graph } from "../src/onnx/graph.ts";
import { ModelProtoSchema } from "../src/onnx/messages/schemas.ts";
import { float32, type Tensor, tensorOf, toNumbers } from "../src/onnx/tensor.ts";
import { GraphBuilder } from "../src/ops/full-builder.ts";
import { encodeModelForRuntime, evaluate } from "../src/runtime/evaluate.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import { train } from "../src/train/train.ts";
import { relativeError } from "./relative-error.ts";

const runtime = nodeRuntime({ threads: 1 });
const read = (name: string) => new Uint8Array(readFileSync(new URL(`goldens/zoo/${name}`, import.meta.url)));

/** The derivative of y along the tangent [1, ...] of a parameter, at x. */
async function derivative(graph: Graph, parameter: string, tangent: Tensor, feeds: Record<string, Tensor>) {
  const dual = derivativeGraph(graph, new Map([[parameter, "stacked"]]), 1, "y");
  const found = await evaluate(runtime, dual, { ...feeds, [`tangent/${parameter}`]: tangent });
  return toNumbers(found.derivatives as Tensor);
}

describe("activations that are rounded", () => {
  const x = float32([0.3, -0.9, 5, 0.11, 0.72, -0.4], [2, 3]);
  const ones = float32([1, 1, 1, 1, 1, 1], [1, 2, 3]);
  const [table, center] = [[3, -2, 1, 5, -4, 2], 1];
  const weight = tensorOf("int8", table, [3, 2]);
  const float = (index: number) => 0.25 * ((table[index] as number) - center);

  it("have the derivative of what is not rounded, and none beyond the range of their type", async () => {
    const g = new GraphBuilder("rounded");
    const scale = g.scalar("float32", 0.01);
    const bias = g.parameter("bias", float32([0, 0, 0, 0, 0, 0], [2, 3]));
    const rounded = g.quantizeLinear(
      g.add(g.input("x", "float32", [2, 3]), bias),
      scale,
      g.scalar("int8", 3),
    );
    const activations = g.dequantizeLinear(rounded, scale, g.scalar("int8", 3));
    const stored = g.dequantizeLinear(
      g.constant(weight),
      g.scalar("float32", 0.25),
      g.scalar("int8", center),
    );
    const found = await derivative(g.build({ y: g.matMul(activations, stored) }), "bias", ones, { x });
    // The 5 is 500 steps from 0.
    const rows = [
      [float(0) + float(2), float(1) + float(3)],
      [float(0) + float(2) + float(4), float(1) + float(3) + float(5)],
    ];
    expect(relativeError(Float32Array.from(found), rows.flat())).toBeLessThan(1e-6);
  });

  it("also where their range is found at run time, as quantize_dynamic writes it", async () => {
    const g = new GraphBuilder("dynamic");
    const bias = g.parameter("bias", float32([0, 0, 0, 0, 0, 0], [2, 3]));
    const shifted = g.add(g.input("x", "float32", [2, 3]), bias);
    const [rounded, scale, zero] = g.node("DynamicQuantizeLinear", [shifted], {}, { outputs: 3 });
    const product = g.matMulInteger(rounded, g.constant(weight), zero, g.scalar("int8", center));
    const y = g.mul(g.cast(product, { to: 1 }), g.mul(scale as typeof rounded, 0.25));
    const found = await derivative(g.build({ y }), "bias", ones, { x });
    const row = [float(0) + float(2) + float(4), float(1) + float(3) + float(5)];
    expect(relativeError(Float32Array.from(found), [...row, ...row])).toBeLessThan(1e-6);
  });
});

describe("quantized files", () => {
  it("train what is no quantized matrix, and say nothing of its scales", async () => {
    const { parameters } = await compileObjective({
      ...{ model: read("bert-nbits-opset17.onnx"), loss: meanSquaredError(), runtime, batch: 4 },
    });
    expect(Object.keys(parameters).filter((name) => /scale|_Q4|zero/.test(name))).toEqual([]);
    expect(Object.keys(parameters)).toContain("token_embedding.weight");
  });

  it("take adapters of matrices in 4 bits, and are saved with those as they were and the adapters apart", async () => {
    const g = new GraphBuilder("nbits");
    const stored = tensorOf(
      "uint8",
      Array.from({ length: 48 }, (_, index) => (index * 37) % 256),
      [6, 1, 8],
    );
    const scales = float32([0.1, 0.2, 0.1, 0.2, 0.1, 0.2]);
    const attributes = { K: 16, N: 6, bits: 4, block_size: 16 };
    const hidden = g.matMulNBits(
      ...([
        g.input("x", "float32", [4, 16]),
        g.buffer("w_Q4", stored),
        g.buffer("w_scales", scales),
        undefined,
      ] as const),
      attributes,
    );
    const table = g.buffer("v", tensorOf("int8", [1, -2, 3, 4, 5, -6, 1, 2, 3, -4, 5, 6], [6, 2]));
    const y = g.matMul(g.tanh(hidden), g.dequantizeLinear(table, g.buffer("v_scale", float32([0.1], []))));
    const given = encodeGraph(g.build({ y }), { openBatch: true });
    const inputs = Float32Array.from({ length: 320 }, (_, index) => Math.sin(index * 2.4));
    const labels = Int32Array.from({ length: 20 }, (_, index) =>
      (inputs[16 * index] as number) > 0 ? 1 : 0,
    );
    const examples = { inputs, labels, shape: [16], count: 20 };
    const losses: number[] = [];
    let saved: Uint8Array | undefined;
    const run = {
      model: given,
      examples,
      runtime,
      steps: 40,
      batch: 20,
      learningRate: 0.3,
      adapter: { rank: 2 },
    };
    for await (const event of train({ ...run, gradient: "exact" })) {
      if (event.kind === "step") losses.push(event.loss);
      if (event.kind === "done") saved = event.model;
    }
    expect(losses.at(-1)).toBeLessThan(0.7 * (losses[0] as number));
    const [before, after] = [decodeModel(given), decodeModel(saved ?? given)];
    for (const [name, tensor] of before.initializers)
      expect(after.initializers.get(name), name).toEqual(tensor);
    const added = [...after.initializers.keys()].filter((name) => !before.initializers.has(name));
    expect(added.sort()).toEqual(["v.lora_A", "v.lora_B", "w_Q4.lora_A", "w_Q4.lora_B"]);
    // It runs as it is.
    const session = await runtime.createSession(saved ?? given);
    expect((await session.run({ x: float32(inputs.slice(0, 32), [2, 16]) })).y?.shape).toEqual([2, 2]);
    await session.release();
  });
});

describe("files of onnxruntime's quantize_static and of 4-bit integers", () => {
  it("say that adapters train them, where nothing else is a float, and take those", async () => {
    const g = new GraphBuilder("static");
    const scale = g.scalar("float32", 0.1);
    const x = g.dequantizeLinear(g.quantizeLinear(g.input("x", "float32", [2, 3]), scale), scale);
    const table = g.buffer("w", tensorOf("int8", [1, -2, 3, 4, 5, -6], [3, 2]));
    const model = encodeGraph(g.build({ y: g.matMul(x, g.dequantizeLinear(table, scale)) }));
    const options = { loss: meanSquaredError(), runtime, batch: 2 };
    await expect(compileObjective({ ...options, model })).rejects.toThrow(/adapters beside them/);
    const adapted = adaptModel(decodeModel(model), { rank: 1 });
    const { parameters } = await compileObjective({
      ...{ ...options, model: adapted.model, trainable: (name) => name.includes("lora") },
    });
    expect(Object.keys(parameters)).toEqual(["w.lora_A", "w.lora_B"]);
  });

  for (const [type, numbers] of [
    [22, [1, -8, 7, 0, -1, 3]],
    [21, [1, 8, 7, 0, 15, 3]],
  ] as const) {
    it(`of ONNX type ${type} are read as bytes, and saved as they were`, async () => {
      const bytes = fourBitModel(type, numbers);
      const model = decodeModel(bytes);
      expect(toNumbers(model.initializers.get("w") as Tensor)).toEqual(numbers);
      const session = await runtime.createSession(encodeModelForRuntime(model, new Map()));
      const input = float32([1, 0, 0, 0, 1, 0], [2, 3]);
      const { y } = await session.run({ x: input });
      expect(toNumbers(y as Tensor)).toEqual(numbers.slice(0, 4).map((number) => 0.5 * number));
      await session.release();
      const trained = encodeModel(model, new Map([["bias", float32([1, 2])]]));
      const stored = fromBinary(ModelProtoSchema, trained).graph?.initializer.find(
        ({ name }) => name === "w",
      );
      expect([stored?.dataType, stored?.rawData.length]).toEqual([type, 3]);
    });
  }
});

/** y = x · dequantize(w) + bias, w of 4-bit integers [3, 2]. */
function fourBitModel(type: number, numbers: readonly number[]): Uint8Array<ArrayBuffer> {
  const g = new GraphBuilder("four bits");
  const table = g.buffer("w", tensorOf("int8", [0, 0, 0, 0, 0, 0], [3, 2]));
  const weight = g.dequantizeLinear(table, g.scalar("float32", 0.5));
  const product = g.matMul(g.input("x", "float32", [2, 3]), weight);
  const graph = g.build({ y: g.add(product, g.parameter("bias", float32([0, 0]))) });
  const message = fromBinary(ModelProtoSchema, encodeGraph(graph));
  const stored = message.graph?.initializer.find(({ name }) => name === "w");
  if (!stored) throw new Error("the matrix is stored");
  stored.dataType = type;
  stored.rawData = Uint8Array.from(
    [0, 2, 4],
    (at) => ((numbers[at] as number) & 15) | (((numbers[at + 1] as number) & 15) << 4),
  );
  return toBinary(ModelProtoSchema, message) as Uint8Array<ArrayBuffer>;
}
