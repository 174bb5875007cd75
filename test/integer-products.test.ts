/** Files whose products are of integers, as quantize_dynamic writes them and as a session of ONNX Runtime joins that. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { derivativeGraph } from "../src/ad/derivatives.ts";
import { aggregators } from "../src/aggregate/aggregators.ts";
import { ModelError } from "../src/errors/errors.ts";
import { activations } from "../src/estimate/estimators.ts";
import { exactGradient } from "../src/estimate/exact.ts";
import { meanSquaredError } from "../src/losses/mean-squared-error.ts";
import { compileObjective } from "../src/objective/compile-objective.ts";
import { decodeModel } from "../src/onnx/decode.ts";
import { encodeModel } from "../src/onnx/encode.ts";
import { float32, zeros } from "../src/onnx/tensor.ts";
import { GraphBuilder } from "../src/ops/full-builder.ts";
import { evaluate } from "../src/runtime/evaluate.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import { samplers } from "../src/tangents/samplers.ts";

interface Golden {
  readonly x: number[];
  readonly parameters: number;
  readonly loss: number;
  readonly derivative: number;
  readonly scale: number;
}

const folder = new URL("cases/integer-products/", import.meta.url);
const golden = JSON.parse(readFileSync(new URL("integer-products.golden.json", folder), "utf8")) as Golden;
const runtime = nodeRuntime({ threads: 1 });

/**
 * Whether the engine adds products of bytes up in 16 bits, two by two, which overflow: its kernels for x86 do without the VNNI
 * instructions, and what they compute then is wrong before anything of ours is.
 */
async function saturates(): Promise<boolean> {
  const [rows, depth] = [4, 32];
  const g = new GraphBuilder("saturation");
  const bytes = g.input("bytes", "uint8", [rows, depth]);
  const signed = g.input("signed", "int8", [depth, rows]);
  const { products } = await evaluate(runtime, g.build({ products: g.matMulInteger(bytes, signed) }), {
    bytes: { dtype: "uint8", shape: [rows, depth], data: new Uint8Array(rows * depth).fill(255) },
    signed: { dtype: "int8", shape: [depth, rows], data: new Int8Array(depth * rows).fill(127) },
  });
  return Number(products?.data[0]) !== 255 * 127 * depth;
}
const isWrong = await saturates();
if (isWrong) console.warn("skipped: this processor's products of bytes overflow in ONNX Runtime");

/** The loss at the golden's inputs, and its derivative along 0.1 cos 50θ, forward and by the exact gradient. */
async function measure(name: string) {
  const model = decodeModel(new Uint8Array(readFileSync(new URL(`${name}.onnx`, folder))));
  const objective = await compileObjective({ model, loss: meanSquaredError(), runtime, batch: 2 });
  const { graph, parameters } = objective;
  const names = Object.keys(parameters);
  const feeds = { x: float32(golden.x, [2, 4, 16]), target: zeros("float32", [2, 4, 16]), ...parameters };
  const tangents = Object.fromEntries(
    Object.entries(parameters).map(([parameter, { shape, data }]) => [
      parameter,
      float32(
        Array.from(data as Float32Array, (value) => 0.1 * Math.cos(50 * value)),
        [1, ...shape],
      ),
    ]),
  );
  const forms = new Map(names.map((parameter) => [parameter, "stacked"] as const));
  const named = Object.entries(tangents).map(([parameter, tangent]) => [`tangent/${parameter}`, tangent]);
  const { loss, derivatives } = await evaluate(runtime, derivativeGraph(graph, forms, 1, "loss"), {
    ...feeds,
    ...Object.fromEntries(named),
  });
  const exact = await exactGradient(objective);
  const { gradients } = await exact.estimate(feeds, [0, 0]);
  const along = names.map((parameter) =>
    (gradients[parameter] as Float32Array).reduce(
      (sum, value, place) => sum + value * Number(tangents[parameter]?.data[place]),
      0,
    ),
  );
  return {
    model,
    names,
    ops: new Set(model.nodes.map(({ op }) => op)),
    loss: Number(loss?.data[0]),
    derivative: Number(derivatives?.data[0]),
    transposed: along.reduce((sum, share) => sum + share, 0),
  };
}

describe("products of integers", () => {
  for (const name of ["integers", "joined"])
    it.skipIf(isWrong)(
      `of ${name}.onnx: scales are not trained, and derivatives are those of the numbers before rounding`,
      async () => {
        const { model, names, ops, loss, derivative, transposed } = await measure(name);
        if (name === "joined")
          for (const op of ["DynamicQuantizeMatMul", "MatMulIntegerToFloat"]) expect(ops).toContain(op);
        expect(names).toHaveLength(golden.parameters);
        // Rounded activations differ from PyTorch's by up to a 255th of their range.
        expect(Math.abs(loss - golden.loss)).toBeLessThan(5e-3 * golden.loss);
        expect(Math.abs(derivative - golden.derivative)).toBeLessThan(1e-2 * golden.scale);
        expect(Math.abs(derivative - transposed)).toBeLessThan(1e-5 * golden.scale);
        expect(decodeModel(encodeModel(model, new Map())).nodes).toHaveLength(model.nodes.length);
      },
    );

  it("are the same before and after ONNX Runtime joined them", async () => {
    const [integers, joined] = [await measure("integers"), await measure("joined")];
    expect(Math.abs(joined.loss - integers.loss)).toBeLessThan(1e-5 * integers.loss);
    expect(Math.abs(joined.derivative - integers.derivative)).toBeLessThan(1e-5 * golden.scale);
  });

  it("have no examples of their own where a batch shares a scale: refused at activations, with what to do", async () => {
    const model = decodeModel(new Uint8Array(readFileSync(new URL("integers.onnx", folder))));
    const method = { tangents: 2, aggregator: aggregators.projection(), sampler: samplers.gaussian() };
    const plan = async (batch: number) =>
      activations().plan(await compileObjective({ model, loss: meanSquaredError(), runtime, batch }), method);
    const refused = await plan(2).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(ModelError);
    expect(String(refused)).toMatch(/DynamicQuantizeLinear.*one scale for all examples of a batch/s);
    expect(String(refused)).toMatch(/exact.*weights/s);
    expect((await plan(1)).dimension).toBeGreaterThan(0);
  });
});
