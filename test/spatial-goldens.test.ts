import { describe, expect, it } from "vitest";
import { checkDerivatives, type Evaluate } from "../src/ad/check.ts";
import { derivativeGraph } from "../src/ad/derivatives.ts";
import { gradientGraph } from "../src/ad/gradient.ts";
import { int, ints, string } from "../src/onnx/graph.ts";
import type { Tensor } from "../src/onnx/tensor.ts";
import { GraphBuilder } from "../src/ops/full-builder.ts";
import { evaluate } from "../src/runtime/evaluate.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import { fromGolden, type GoldenTensor, readGolden } from "./golden.ts";
import { relativeError } from "./relative-error.ts";

interface SpatialGolden {
  readonly name: string;
  readonly op: string;
  readonly attributes: Record<string, number | string | number[]>;
  readonly inputs: GoldenTensor[];
  readonly constants: (GoldenTensor | null)[];
  readonly tangents: GoldenTensor[];
  readonly output: GoldenTensor;
  readonly derivatives: GoldenTensor;
  readonly cotangent: GoldenTensor;
  readonly gradients: GoldenTensor[];
  readonly factored?: {
    readonly left: GoldenTensor;
    readonly right: GoldenTensor;
    readonly derivatives: GoldenTensor;
  };
}

const runtime = nodeRuntime({ threads: 1 });
const run: Evaluate = (graph, feeds) => evaluate(runtime, graph, feeds);
// float32 rounds each of the products and sums, a few dozen an output place, of the random numbers.
const tolerance = 2e-6;

/** The op in a graph whose output is `output`; the cotangent's product with it is `weighted`. */
function build(golden: SpatialGolden) {
  const g = new GraphBuilder(golden.op);
  const feeds: Record<string, Tensor> = {};
  const operands = golden.inputs.map((input, index) => {
    feeds[`x${index}`] = fromGolden(input);
    return g.input(`x${index}`, "float32", input.shape);
  });
  const attributes = Object.entries(golden.attributes).map(([name, value]) => {
    if (typeof value === "number") return [name, int(value)] as const;
    return [name, typeof value === "string" ? string(value) : ints(value)] as const;
  });
  const constants = golden.constants.map((value) => (value ? g.constant(fromGolden(value)) : undefined));
  const y = g.emit(golden.op, [...operands, ...constants], Object.fromEntries(attributes));
  const weighted = g.reduceSum(g.mul(y, g.constant(fromGolden(golden.cotangent))), { keepdims: 0 });
  return { graph: g.build({ output: y, weighted }), feeds };
}

function expectEqual(result: Tensor | undefined, golden: GoldenTensor) {
  expect(result?.shape).toEqual(golden.shape);
  expect(relativeError(result?.data as Float32Array, golden.data)).toBeLessThan(tolerance);
}

describe("spatial ops equal PyTorch's float64", () => {
  for (const golden of readGolden<SpatialGolden[]>("spatial.golden.json")) {
    const { graph, feeds } = build(golden);
    const names = graph.inputs.map((input) => input.name);
    const stacked = new Map(names.map((name) => [name, "stacked"] as const));
    const tangents = Object.fromEntries(
      golden.tangents.map((tangent, index) => [`tangent/x${index}`, fromGolden(tangent)]),
    );

    it(`${golden.name}: value and derivatives along stacked tangents`, async () => {
      const result = await run(derivativeGraph(graph, stacked, 2, "output"), { ...feeds, ...tangents });
      expectEqual(result.output, golden.output);
      expectEqual(result.derivatives, golden.derivatives);
    });

    it(`${golden.name}: gradients`, async () => {
      const result = await run(gradientGraph(graph, names, "weighted"), feeds);
      golden.gradients.forEach((gradient, index) => {
        expectEqual(result[`gradient/x${index}`], gradient);
      });
    });

    // Differences cannot be taken on ties.
    if (!golden.op.endsWith("MaxPool")) {
      it(`${golden.name}: the derivative's derivative`, async () => {
        const derivative = derivativeGraph(graph, stacked, 2, "output");
        const report = await checkDerivatives(derivative, {
          evaluate: run,
          feeds: { ...feeds, ...tangents },
        });
        expect(report.forwardError).toBeLessThan(1e-2);
        expect(report.transposeError).toBeLessThan(1e-5);
      });
    }

    const { factored } = golden;
    if (!factored) continue;
    it(`${golden.name}: derivatives along factored tangents`, async () => {
      const forms = new Map([["x1", { rank: factored.left.shape[2] as number }]]);
      const result = await run(derivativeGraph(graph, forms, 2, "output"), {
        ...feeds,
        "tangent/x1/left": fromGolden(factored.left),
        "tangent/x1/right": fromGolden(factored.right),
      });
      expectEqual(result.derivatives, factored.derivatives);
    });
  }
});
