import { describe, expect, it } from "vitest";
import { meanSquaredError } from "../src/losses/mean-squared-error.ts";
import { compileObjective } from "../src/objective/compile-objective.ts";
import { encodeGraph } from "../src/onnx/encode.ts";
import type { Graph } from "../src/onnx/graph.ts";
import { float32, zeros } from "../src/onnx/tensor.ts";
import { GraphBuilder } from "../src/ops/full-builder.ts";
import { nodeRuntime } from "../src/runtime/node.ts";

const runtime = nodeRuntime({ threads: 1 });
const compile = (graph: Graph, output?: string) =>
  compileObjective({ model: encodeGraph(graph), loss: meanSquaredError(), runtime, batch: 2, output });

describe("shape arithmetic that depends on data", () => {
  it("is refused with the node's name, whatever the op", async () => {
    const g = new GraphBuilder("data");
    const x = g.input("x", "float32", [2, 3]);
    const weighted = g.mul(x, g.parameter("w", float32([1, 2, 3])));
    const graph = g.build({ y: weighted });
    const value = { name: "places", dtype: "int64", shape: [2, 6] } as const;
    const withPlaces: Graph = {
      ...graph,
      outputs: [...graph.outputs, value],
      nodes: [
        ...graph.nodes,
        { name: "find", op: "NonZero", domain: "", inputs: ["rounded"], outputs: ["places"], attributes: {} },
        { name: "round", op: "Round", domain: "", inputs: ["x"], outputs: ["rounded"], attributes: {} },
      ],
      values: new Map([
        ...graph.values,
        ["places", value],
        ["rounded", { name: "rounded", dtype: "float32", shape: [2, 3] }],
      ]),
    };
    await expect(compile(withPlaces, "places")).rejects.toThrow(
      /NonZero node 'find'.*shape depends on data \('rounded'\)/,
    );
  });
});

describe("a model of float64 weights alone", () => {
  it("is refused with the way to float32", async () => {
    const g = new GraphBuilder("wide");
    const x = g.cast(g.input("x", "float32", [2, 3]), { to: 11 });
    const graph = g.build({ y: g.cast(g.mul(x, g.parameter("w", zeros("float64", [3]))), { to: 1 }) });
    await expect(compile(graph)).rejects.toThrow(
      /has nothing to train: no float32 initializer.* 'w' is float64; convert the model to float32.*model\.float\(\)/,
    );
  });
});
