import { describe, expect, it } from "vitest";
import { derivativeGraph } from "../src/ad/derivatives.ts";
import { int64 } from "../src/onnx/tensor.ts";
import { GraphBuilder } from "../src/ops/full-builder.ts";
import { evaluate } from "../src/runtime/evaluate.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import { fromGolden, type GoldenTensor, readGolden } from "./golden.ts";
import { relativeError } from "./relative-error.ts";

interface OpGolden {
  readonly name: string;
  readonly op: string;
  readonly attributes: Record<string, number | string>;
  /** How many the op has; the first is compared. Absent: 1. */
  readonly outputs?: number;
  readonly inputs: GoldenTensor[];
  readonly tangents: (GoldenTensor | null)[];
  readonly output: GoldenTensor;
  readonly derivatives: GoldenTensor;
}

const runtime = nodeRuntime({ threads: 1 });

const goldens = ["ops.golden.json", "ops-singular.golden.json"].flatMap((name) =>
  readGolden<OpGolden[]>(name),
);

describe("derivatives at kinks, ties, zeros and extremes equal PyTorch's", () => {
  for (const golden of goldens) {
    it(golden.name, async () => {
      const g = new GraphBuilder(golden.op);
      const feeds: Record<string, ReturnType<typeof fromGolden>> = {};
      const operands = golden.inputs.map((input, index) => {
        if (!golden.tangents[index]) {
          return g.constant(input.dtype === "int64" ? int64(input.data, input.shape) : fromGolden(input));
        }
        feeds[`x${index}`] = fromGolden(input);
        feeds[`tangent/x${index}`] = fromGolden(golden.tangents[index]);
        return g.input(`x${index}`, "float32", input.shape);
      });
      const [y] = g.node(golden.op, operands, golden.attributes, { outputs: golden.outputs });
      const graph = g.build({ y: y ?? g.scalar("float32", 0) });
      const forms = new Map(graph.inputs.map((input) => [input.name, "stacked"] as const));
      const result = await evaluate(runtime, derivativeGraph(graph, forms, 3, "y"), feeds);
      // float32 rounds once or twice for each of the few operations that a rule emits.
      expect(relativeError(result.y?.data as Float32Array, golden.output.data)).toBeLessThan(1e-6);
      expect(relativeError(result.derivatives?.data as Float32Array, golden.derivatives.data)).toBeLessThan(
        2e-6,
      );
    });
  }
});
