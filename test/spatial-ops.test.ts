import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkDerivatives, type Evaluate } from "../src/ad/check.ts";
import { derivativeGraph } from "../src/ad/derivatives.ts";
import { type Attribute, int, ints, string } from "../src/onnx/graph.ts";
import { elementCount, float32, float64, int64, type Tensor } from "../src/onnx/tensor.ts";
import { GraphBuilder } from "../src/ops/full-builder.ts";
import { evaluate } from "../src/runtime/evaluate.ts";
import { nodeRuntime } from "../src/runtime/node.ts";

const runtime = nodeRuntime({ threads: 1 });
const run: Evaluate = (graph, feeds) => evaluate(runtime, graph, feeds);

/** Different numbers in [−1, 1], no two of them close together, so that every window has one largest. */
function numbers(shape: readonly number[]): Tensor {
  const count = elementCount(shape);
  return float32(
    Array.from({ length: count }, (_, index) => ((index * 7919) % 1009) / 504.5 - 1),
    shape,
  );
}

const axis = fc.record({
  size: fc.integer({ min: 1, max: 3 }),
  stride: fc.integer({ min: 1, max: 4 }),
  dilation: fc.integer({ min: 1, max: 3 }),
  before: fc.integer({ min: 0, max: 2 }),
  behind: fc.integer({ min: 0, max: 2 }),
  extra: fc.integer({ min: 0, max: 6 }),
});

const node = fc.record({
  axes: fc.array(axis, { minLength: 1, maxLength: 2 }),
  autoPad: fc.constantFrom("NOTSET", "NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"),
  op: fc.constantFrom("Conv", "ConvTranspose", "MaxPool", "AveragePool", "LpPool"),
  isCeil: fc.boolean(),
  countsPadding: fc.boolean(),
  group: fc.constantFrom(1, 2),
});

type NodeCase = typeof node extends fc.Arbitrary<infer T> ? T : never;

function build({ axes, autoPad, op, isCeil, countsPadding, group }: NodeCase) {
  const isConv = op.startsWith("Conv");
  const isSame = autoPad.startsWith("SAME");
  // What ONNX Runtime takes: SAME without dilations and with strides up to the kernel; pools padded by less than it;
  // output padding below the stride.
  const windows = axes.map((each) => ({
    ...each,
    dilation: isSame ? 1 : each.dilation,
    stride: isSame ? Math.min(each.stride, each.size) : each.stride,
    before: isConv ? each.before : Math.min(each.before, each.size - 1),
    behind: isConv ? each.behind : Math.min(each.behind, each.size - 1),
  }));
  const sizes = windows.map(({ size }) => size);
  const inputs = windows.map(({ size, dilation, extra }) => (size - 1) * dilation + 1 + extra);
  const isPadded = autoPad === "NOTSET";
  const attributes: Record<string, Attribute> = {
    strides: ints(windows.map(({ stride }) => stride)),
    dilations: ints(windows.map(({ dilation }) => dilation)),
    auto_pad: string(autoPad),
    ...(isPadded
      ? { pads: ints([...windows.map(({ before }) => before), ...windows.map(({ behind }) => behind)]) }
      : {}),
    ...(isConv
      ? { group: int(group) }
      : { kernel_shape: ints(sizes), ceil_mode: int(isCeil && isPadded ? 1 : 0) }),
    ...(op === "ConvTranspose" && isPadded
      ? {
          output_padding: ints(windows.map(({ stride, extra }) => Math.min(extra, stride - 1))),
        }
      : {}),
    ...(op === "AveragePool" ? { count_include_pad: int(countsPadding ? 1 : 0) } : {}),
  };
  const feeds: Record<string, Tensor> = { x: numbers([2, 4, ...inputs]) };
  if (isConv) feeds.w = numbers([op === "Conv" ? 6 : 4, op === "Conv" ? 4 / group : 3, ...sizes]);
  const g = new GraphBuilder(op);
  const operands = Object.entries(feeds).map(([name, { shape }]) => g.input(name, "float32", shape));
  return { graph: g.build({ y: g.emit(op, operands, attributes) }), feeds };
}

describe("convolutions and pools", () => {
  it("have the runtime's shapes, and transposes that are adjoint to their derivatives", async () => {
    await fc.assert(
      fc.asyncProperty(node, async (example) => {
        let built: ReturnType<typeof build>;
        try {
          built = build(example);
        } catch (error) {
          // Padding may take away all of a small output.
          expect(String(error)).toContain("takes away all");
          return;
        }
        const { graph, feeds } = built;
        const result = await run(graph, feeds);
        expect(result.y?.shape).toEqual(graph.outputs[0]?.shape);
        const report = await checkDerivatives(graph, { evaluate: run, feeds, step: 1e-3, tangents: 2 });
        expect(report.forwardError).toBeLessThan(1e-2);
        expect(report.transposeError).toBeLessThan(1e-5);
      }),
      { numRuns: 60, seed: 20 },
    );
  });
});

describe("Pad with a tangent of its constant", () => {
  it("adds it on the padding only", async () => {
    const g = new GraphBuilder("pad");
    const y = g.pad(g.constant(float64([1, 2])), [1, 2], g.input("c", "float64", []));
    const derivative = derivativeGraph(g.build({ y }), new Map([["c", "stacked"]]), 2, "y");
    const result = await run(derivative, { c: float64([7], []), "tangent/c": float64([1, 3]) });
    expect(Array.from(result.derivatives?.data as Float64Array)).toEqual([1, 0, 0, 1, 1, 3, 0, 0, 3, 3]);
  });
});

describe("named errors", () => {
  const image = (g: GraphBuilder, shape: readonly number[]) => g.input("x", "float32", shape);
  const weight = (g: GraphBuilder, shape: readonly number[]) => g.input("w", "float32", shape);
  const cases: readonly [string, (g: GraphBuilder) => unknown, RegExp][] = [
    [
      "channels",
      (g) => g.conv(image(g, [1, 3, 5, 5]), weight(g, [4, 2, 3, 3])),
      /Conv node '\w+': input X has shape \[1, 3, 5, 5\], expected \[batch, 2, …\]/,
    ],
    [
      "groups",
      (g) => g.conv(image(g, [1, 4, 5, 5]), weight(g, [3, 2, 3, 3]), { group: 2 }),
      /has 3 filters and group 2; the group must divide/,
    ],
    [
      "bias",
      (g) => g.conv(image(g, [1, 2, 5, 5]), weight(g, [3, 2, 3, 3]), g.input("b", "float32", [4])),
      /a bias of shape \[4\], expected \[3\]/,
    ],
    [
      "size",
      (g) => g.conv(image(g, [1, 2, 2, 5]), weight(g, [3, 2, 3, 3])),
      /a window of 3 positions does not fit into 2 \(axis 2 of \[1, 2, 2, 5\]/,
    ],
    [
      "strides",
      (g) => g.conv(image(g, [1, 2, 5, 5]), weight(g, [3, 2, 3, 3]), { strides: [2] }),
      /its kernel \[3, 3\] and its strides \[2\] do not fit the input \[1, 2, 5, 5\]/,
    ],
    [
      "dilations with automatic padding",
      (g) => g.maxPool(image(g, [1, 2, 5]), { kernel_shape: [3], dilations: [2], auto_pad: "SAME_UPPER" }),
      /with dilations, ONNX Runtime pads SAME_UPPER in another way than ONNX says; export it with explicit pads/,
    ],
    [
      "transposed channels",
      (g) => g.convTranspose(image(g, [1, 3, 5]), weight(g, [2, 4, 3])),
      /ConvTranspose node '\w+': input X has shape \[1, 3, 5\], expected \[batch, 2, …\]/,
    ],
    [
      "transposed padding",
      (g) => g.convTranspose(image(g, [1, 2, 2]), weight(g, [2, 4, 3]), { pads: [2, 2] }),
      /its padding removes all 4 positions along axis 2/,
    ],
    [
      "kernel_shape",
      (g) => g.averagePool(image(g, [1, 2, 5, 5]), { kernel_shape: [2] }),
      /its kernel_shape \[2\] does not fit the input \[1, 2, 5, 5\]/,
    ],
    ["no kernel_shape", (g) => g.lpPool(image(g, [1, 2, 5])), /its kernel_shape is missing and does not fit/],
    ["pads", (g) => g.pad(image(g, [2, 3]), [1, 1]), /received 2 pads for the axes \[0, 1\].*expected 4/],
    ["blocks", (g) => g.depthToSpace(image(g, [1, 6, 2, 2]), { blocksize: 2 }), /must be a multiple of 4/],
    ["image size", (g) => g.spaceToDepth(image(g, [1, 1, 3, 4]), { blocksize: 2 }), /pad it to a multiple/],
    ["image axes", (g) => g.spaceToDepth(image(g, [1, 3, 4])), /expected \[batch, channels, height, width\]/],
    ["no sizes", (g) => g.resize(image(g, [1, 1, 3, 4])), /either scales .* or sizes .* received neither/],
    [
      "number of sizes",
      (g) => g.resize(image(g, [1, 1, 3, 4]), undefined, undefined, [6, 8]),
      /its sizes \(input 3\) are 2 numbers, expected 4/,
    ],
    [
      "aspect ratio",
      (g) =>
        g.resize(image(g, [1, 1, 3, 4]), undefined, undefined, g.constant(int64([1, 1, 6, 6])), {
          keep_aspect_ratio_policy: "not_larger",
        }),
      /keep_aspect_ratio_policy 'not_larger' is not supported; export the sizes/,
    ],
  ];
  for (const [name, emit, message] of cases) {
    it(name, () => {
      expect(() => emit(new GraphBuilder("errors"))).toThrow(message);
    });
  }
});
