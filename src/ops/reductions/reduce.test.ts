import { describe, expect, it } from "vitest";
import { checkDerivatives } from "../../ad/check.ts";
import { derivativeGraph } from "../../ad/derivatives.ts";
import { float64 } from "../../onnx/tensor.ts";
import { evaluate } from "../../runtime/evaluate.ts";
import { nodeRuntime } from "../../runtime/node.ts";
import { GraphBuilder } from "../full-builder.ts";

const runtime = nodeRuntime({ threads: 1 });

describe("ReduceProd", () => {
  it("has right derivatives of both orders at zeros, one and several in a row", async () => {
    const g = new GraphBuilder("prod");
    const x = g.input("x", "float64", [4, 5]);
    const graph = g.build({ y: g.reduceProd(x, [1]) });
    const zeros = float64([1, 2, 3, 4, 5, 0, 2, 3, -4, 5, 0, 2, 0, 4, 1, 0, 0, 0, 2, 2], [4, 5]);
    const run = (given: typeof graph, feeds: Record<string, typeof zeros>) => evaluate(runtime, given, feeds);
    const first = await checkDerivatives(graph, { evaluate: run, feeds: { x: zeros } });
    expect(first.forwardError).toBeLessThan(1e-8);
    expect(first.transposeError).toBeLessThan(1e-12);
    const derivative = derivativeGraph(graph, new Map([["x", "stacked"]]), 1, "y");
    const tangent = float64(
      Array.from({ length: 20 }, (_, index) => ((7 * index) % 5) - 2),
      [1, 4, 5],
    );
    const second = await checkDerivatives(derivative, {
      evaluate: run,
      feeds: { x: zeros, "tangent/x": tangent },
    });
    expect(second.forwardError).toBeLessThan(1e-8);
    expect(second.transposeError).toBeLessThan(1e-12);
  });
});
