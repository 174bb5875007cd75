import { describe, expect, it } from "vitest";
import { derivativeGraph } from "../src/ad/derivatives.ts";
import type { Attribute } from "../src/onnx/graph.ts";
import { type DType, type Tensor, tensorOf } from "../src/onnx/tensor.ts";
import { GraphBuilder } from "../src/ops/full-builder.ts";
import { upgradeGraph } from "../src/ops/full-upgrade.ts";
import { evaluate } from "../src/runtime/evaluate.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import { type GoldenTensor, readGolden } from "./golden.ts";
import { relativeError } from "./relative-error.ts";

interface CompositeGolden {
  readonly name: string;
  readonly op: string;
  readonly attributes: Record<string, number | string | Attribute>;
  readonly inputs: (GoldenTensor | null)[];
  /** One for each input; null: a constant, or an omitted input. */
  readonly tangents: (GoldenTensor | null)[];
  readonly outputs: number;
  /** The output that is compared. */
  readonly result: number;
  readonly output: GoldenTensor;
  readonly derivatives: GoldenTensor;
}

const runtime = nodeRuntime({ threads: 1 });

/** JSON has no infinity; the largest number stands for it. */
function decode({ dtype = "float64", data, shape }: GoldenTensor): Tensor {
  const values = data.map((value) => (Math.abs(value) === Number.MAX_VALUE ? Math.sign(value) / 0 : value));
  return tensorOf(dtype as DType, values, shape);
}

describe("normalizations, losses, attention and recurrent layers equal PyTorch's in float64", () => {
  for (const golden of readGolden<CompositeGolden[]>("composite.golden.json")) {
    it(golden.name, async () => {
      const g = new GraphBuilder(golden.op);
      const feeds: Record<string, Tensor> = {};
      const operands = golden.inputs.map((input, index) => {
        const tangent = golden.tangents[index];
        if (!input || !tangent) return input ? g.constant(decode(input)) : undefined;
        feeds[`x${index}`] = decode(input);
        feeds[`tangent/x${index}`] = decode(tangent);
        return g.input(`x${index}`, "float64", input.shape);
      });
      const results = g.node(golden.op, operands, golden.attributes, { outputs: golden.outputs });
      const graph = upgradeGraph(g.build({ y: results[golden.result] ?? g.scalar("float64", 0) }));
      const forms = new Map(graph.inputs.map((input) => [input.name, "stacked"] as const));
      const result = await evaluate(runtime, derivativeGraph(graph, forms, 3, "y"), feeds);
      expect(result.y?.shape).toEqual(golden.output.shape);
      expect(relativeError(result.y?.data as Float64Array, golden.output.data)).toBeLessThan(1e-13);
      expect(relativeError(result.derivatives?.data as Float64Array, golden.derivatives.data)).toBeLessThan(
        1e-12,
      );
    });
  }
});
