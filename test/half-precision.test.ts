import { describe, expect, it } from "vitest";
import { crossEntropy } from "../src/losses/cross-entropy.ts";
import { meanSquaredError } from "../src/losses/mean-squared-error.ts";
import { compileObjective } from "../src/objective/compile-objective.ts";
import { decodeModel } from "../src/onnx/decode.ts";
import { encodeGraph, encodeModel } from "../src/onnx/encode.ts";
import type { Graph } from "../src/onnx/graph.ts";
import { toHalf, toSingle } from "../src/onnx/half-precision.ts";
import { float32, type HalfType, type Tensor, tensorOf } from "../src/onnx/tensor.ts";
import { GraphBuilder } from "../src/ops/full-builder.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import { evaluateModel } from "../src/train/evaluation/evaluate-model.ts";
import { train } from "../src/train/train.ts";

const runtime = nodeRuntime({ threads: 1 });
const types = ["float16", "bfloat16"] as const satisfies readonly HalfType[];
const halves = (dtype: HalfType, numbers: readonly number[], shape: readonly number[]): Tensor =>
  toHalf(float32(numbers, shape), dtype);
const compile = (graph: Graph) =>
  compileObjective({ model: encodeGraph(graph), loss: meanSquaredError(), runtime, batch: 2 });

/** y = x W in 16 bits: 3 numbers to 2 logits. */
function linear(dtype: HalfType): Graph {
  const g = new GraphBuilder("linear");
  const x = g.input("x", dtype, [2, 3]);
  return g.build({ y: g.matMul(x, g.parameter("w", halves(dtype, [0.5, -1, 0.25, 2, -0.75, 1], [3, 2]))) });
}

/** Two classes that the sign of the first number tells apart. */
function twoClasses() {
  const inputs = Float32Array.from({ length: 60 }, (_, index) => Math.sin(index * 2.4));
  const labels = Int32Array.from({ length: 20 }, (_, index) => ((inputs[3 * index] as number) > 0 ? 1 : 0));
  return { inputs, labels, shape: [3], count: 20 };
}

async function trained(options: Partial<Parameters<typeof train>[0]> & { readonly model: Uint8Array }) {
  const run = {
    examples: twoClasses(),
    runtime,
    steps: 5,
    batch: 4,
    loss: crossEntropy(),
    learningRate: 0.5,
  };
  for await (const event of train({ ...run, ...options })) if (event.kind === "done") return event.model;
  throw new Error("the run did not end");
}

describe("16-bit floats", () => {
  for (const dtype of types) {
    it(`of ${dtype} are read and written bit by bit`, () => {
      const bits = Uint16Array.from({ length: 65536 }, (_, index) => index);
      const wide = toSingle({ dtype, shape: [65536], data: bits });
      const isNumber = (index: number) => !Number.isNaN(wide.data[index]);
      const back = toHalf(wide, dtype).data;
      expect(bits.filter((bit) => isNumber(bit) && back[bit] !== bit)).toHaveLength(0);
      expect(toSingle(toHalf(float32([Number.NaN]), dtype)).data[0]).toBeNaN();
    });
  }

  it("are the nearest, of two the even one, and finite where the number is", () => {
    const through = (dtype: HalfType, value: number) => toSingle(toHalf(float32([value]), dtype)).data[0];
    expect(
      [1 + 2 ** -11, 1 + 3 * 2 ** -11, 1 + 2 ** -11 + 2 ** -20].map((value) => through("float16", value)),
    ).toEqual([1, 1 + 2 ** -9, 1 + 2 ** -10]);
    expect([2 ** -25, 3 * 2 ** -26, 1e6, -1e6].map((value) => through("float16", value))).toEqual([
      0,
      2 ** -24,
      65504,
      -65504,
    ]);
    expect([1 + 2 ** -8, 1 + 3 * 2 ** -8, 3.4e38].map((value) => through("bfloat16", value))).toEqual([
      1,
      1 + 2 ** -6,
      (2 - 2 ** -7) * 2 ** 127,
    ]);
  });
});

describe("models in half precision", () => {
  for (const dtype of types) {
    it(`compute ${dtype} weights, inputs and outputs in float32`, async () => {
      const { parameters, graph, model, notes } = await compile(linear(dtype));
      expect(parameters.w).toEqual(float32([0.5, -1, 0.25, 2, -0.75, 1], [3, 2]));
      expect([...graph.values.values()].filter((value) => value.dtype === dtype)).toEqual([]);
      expect(notes.map(String).join()).toContain("holds 16-bit floats");
      const saved = decodeModel(encodeModel(model, new Map([["w", float32([1, 2, 3, 4, 5, 6], [3, 2])]])));
      expect(saved.initializers.get("w")).toEqual(halves(dtype, [1, 2, 3, 4, 5, 6], [3, 2]));
      expect([...saved.inputs, ...saved.outputs].map((value) => value.dtype)).toEqual([dtype, dtype]);
    });

    it(`keep Casts to ${dtype} and constants in the file`, async () => {
      const g = new GraphBuilder("cast");
      const x = g.cast(g.input("x", "float32", [2, 3]), { to: dtype === "float16" ? 10 : 16 });
      const weight = g.cast(g.parameter("w", float32([1, 2, 3.0001])), { to: dtype === "float16" ? 10 : 16 });
      const y = g.mul(g.mul(x, weight), g.constant(halves(dtype, [2], [])));
      const bytes = encodeGraph(g.build({ y: g.cast(y, { to: 1 }) }));
      const { parameters, model } = await compileObjective({
        ...{ model: bytes, loss: meanSquaredError(), runtime, batch: 2 },
      });
      expect(parameters.w?.data[2]).toBe(Math.fround(3.0001));
      expect(decodeModel(encodeModel(model, new Map()))).toEqual(decodeModel(bytes));
    });

    it(`train with float32 weights and are saved in ${dtype}`, async () => {
      const given = encodeGraph(linear(dtype));
      const saved = decodeModel(await trained({ model: given, perturb: "weights" }));
      const [before, after] = [decodeModel(given), saved].map(({ initializers }) => initializers.get("w"));
      expect(after?.dtype).toBe(dtype);
      expect(after?.data).not.toEqual(before?.data);
      expect({ nodes: saved.nodes, inputs: saved.inputs }).toEqual({
        nodes: decodeModel(given).nodes,
        inputs: decodeModel(given).inputs,
      });
      const examples = twoClasses();
      const evaluation = await evaluateModel({
        model: saved,
        parameters: {},
        examples,
        runtime,
        loss: crossEntropy(),
      });
      expect(evaluation.loss).toBeLessThan(2);
    });

    it(`take adapters, merged into ${dtype} weights or apart in the same type`, async () => {
      const given = encodeGraph(linear(dtype));
      const merged = decodeModel(await trained({ model: given, adapter: { rank: 1 } }));
      expect([...merged.initializers.keys()]).toEqual(["w"]);
      expect(merged.initializers.get("w")?.dtype).toBe(dtype);
      const apart = decodeModel(await trained({ model: given, adapter: { rank: 1, saved: "apart" } }));
      expect([...apart.initializers].map(([name, tensor]) => [name, tensor.dtype])).toEqual([
        ["w", dtype],
        ["w.lora_A", dtype],
        ["w.lora_B", dtype],
      ]);
      expect(apart.initializers.get("w")).toEqual(
        tensorOf(dtype, [...(decodeModel(given).initializers.get("w")?.data ?? [])].map(Number), [3, 2]),
      );
    });
  }
});
