/** Derivatives along scales of numbers of few bits, and of what is rounded straight through, held to PyTorch's. */
import { describe, expect, it } from "vitest";
import { derivativeGraph } from "../src/ad/derivatives.ts";
import { gradientGraph } from "../src/ad/gradient.ts";
import type { Value } from "../src/onnx/graph.ts";
import { float32, int64, type Tensor, tensorOf, toNumbers } from "../src/onnx/tensor.ts";
import { GraphBuilder } from "../src/ops/full-builder.ts";
import { evaluate } from "../src/runtime/evaluate.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import { fromGolden, type GoldenTensor, readGolden } from "./golden.ts";
import { relativeError } from "./relative-error.ts";

interface Case {
  readonly inputs: Readonly<Record<string, GoldenTensor>>;
  readonly y: GoldenTensor;
  readonly gradients: Readonly<Record<string, GoldenTensor>>;
}

const runtime = nodeRuntime({ threads: 1 });
const golden = readGolden<Record<string, Case>>("scales.golden.json");
const int8 = (values: readonly number[], shape: readonly number[] = []) => tensorOf("int8", values, shape);

/** Numbers of 4 bits, two to a byte, in rows: the first is the lower half. */
function packed(numbers: readonly number[], row: number, shape: readonly number[]): Tensor {
  const bytes: number[] = [];
  for (let start = 0; start < numbers.length; start += row)
    for (let at = 0; at < row; at += 2)
      bytes.push((numbers[start + at] ?? 0) + 16 * (at + 1 < row ? (numbers[start + at + 1] ?? 0) : 0));
  return tensorOf("uint8", bytes, shape);
}

type Given = Readonly<Record<string, Value>>;

/** y of each case, from its inputs; what is not differentiated comes as plain numbers. */
const graphs: Record<string, (g: GraphBuilder, given: Given, plain: (name: string) => number[]) => Value> = {
  tensor: (g, { x, scale }) => rounded(g, x, g.reshape(scale as Value, []), int8([3])),
  axis: (g, { x, scale }, plain) => rounded(g, x, scale as Value, int8(plain("point"), [4])),
  dynamic,
  dynamicPositive: dynamic,
  matMulNBits: (g, { a, scale }, plain) =>
    inBlocks(g, a, scale, plain, g.constant(packed(plain("points"), 3, [3, 2]))),
  floatingPoints: (g, { a, scale, points }, plain) =>
    inBlocks(g, a, scale, plain, g.reshape(points as Value, [9])),
  gather: (g, { scale }, plain) =>
    g.emit(
      "GatherBlockQuantized",
      [
        g.constant(packed(plain("numbers"), 32, [4, 16])),
        g.constant(int64([3, 0, 1, 3], [2, 2])),
        scale as Value,
      ],
      { bits: 4, block_size: 16, gather_axis: 0, quantize_axis: 1 },
    ),
  convolution: (g, { x, kernels }) => {
    const [images, scale, zero] = g.node("DynamicQuantizeLinear", [x as Value], {}, { outputs: 3 });
    const stored = g.quantizeLinear(kernels as Value, g.scalar("float32", 0.02), g.scalar("uint8", 128));
    const product = g.emit("ConvInteger", [images, stored, zero, g.scalar("uint8", 128)], {
      ...{ group: 2, pads: [1, 1, 1, 1], strides: [2, 2] },
    });
    return g.mul(g.cast(product, { to: 1 }), g.mul(scale as Value, 0.02));
  },
};

function rounded(g: GraphBuilder, x: Value | undefined, scale: Value, zero: Tensor): Value {
  const point = g.constant(zero);
  return g.dequantizeLinear(g.quantizeLinear(x as Value, scale, point), scale, point);
}

function dynamic(g: GraphBuilder, { x }: Given): Value {
  const [numbers, scale, zero] = g.node("DynamicQuantizeLinear", [x as Value], {}, { outputs: 3 });
  return g.dequantizeLinear(numbers, scale as Value, zero);
}

function inBlocks(
  g: GraphBuilder,
  a: Value | undefined,
  scale: Value | undefined,
  plain: (name: string) => number[],
  points: Value,
): Value {
  const numbers = g.constant(packed(plain("numbers"), 16, [3, 3, 8]));
  const scales = g.reshape(scale as Value, [9]);
  return g.matMulNBits(a as Value, numbers, scales, points, { K: 40, N: 3, bits: 4, block_size: 16 });
}

describe("derivatives along scales are PyTorch's", () => {
  it.each(Object.keys(golden))("%s", async (name) => {
    const { inputs, y: known, gradients } = golden[name] as Case;
    const names = Object.keys(gradients);
    const g = new GraphBuilder(name);
    const given = Object.fromEntries(
      names.map((key) => [key, g.parameter(key, fromGolden(inputs[key] as GoldenTensor))]),
    );
    const build = graphs[name];
    if (!build) throw new TypeError(`no graph for ${name}`);
    const y = build(g, given, (key) => inputs[key]?.data ?? []);
    const weights = float32(
      known.data.map((_, at) => Math.sin(at * 1.3)),
      known.shape,
    );
    const loss = g.reduceSum(g.mul(y, g.constant(weights)), { keepdims: 0 });
    const graph = g.build({ y, loss });

    const feeds = Object.fromEntries(names.map((key) => [key, fromGolden(inputs[key] as GoldenTensor)]));
    const exact = await evaluate(runtime, gradientGraph(graph, names, "loss"), feeds);
    const directions = names.map((key) => {
      const { shape, data } = gradients[key] as GoldenTensor;
      return float32(
        data.map((_, at) => Math.sin(at * 1.7)),
        [1, ...shape],
      );
    });
    let along = 0;
    for (const [index, key] of names.entries()) {
      const { data } = gradients[key] as GoldenTensor;
      expect(relativeError(exact[`gradient/${key}`]?.data as Float32Array, data), key).toBeLessThan(2e-5);
      const direction = toNumbers(directions[index] as Tensor);
      along += data.reduce((total, value, at) => total + value * (direction[at] as number), 0);
    }
    const dual = derivativeGraph(graph, new Map(names.map((key) => [key, "stacked"])), 1, "loss");
    const tangents = Object.fromEntries(
      names.map((key, index) => [`tangent/${key}`, directions[index] as Tensor]),
    );
    const forward = await evaluate(runtime, dual, { ...feeds, ...tangents });
    expect(Math.abs(Number(forward.derivatives?.data[0]) - along)).toBeLessThan(
      1e-4 * Math.abs(along) + 1e-5,
    );
    const found = await evaluate(runtime, graph, {});
    expect(relativeError(found.y?.data as Float32Array, known.data)).toBeLessThan(1e-5);
  });
});
