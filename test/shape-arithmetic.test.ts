import { describe, expect, it } from "vitest";
import { meanSquaredError } from "../src/losses/mean-squared-error.ts";
import { compileObjective } from "../src/objective/compile-objective.ts";
import { encodeGraph } from "../src/onnx/encode.ts";
import { type Attributes, type Graph, int, type Node, type Value } from "../src/onnx/graph.ts";
import { float32, int64 } from "../src/onnx/tensor.ts";
import { evaluate } from "../src/runtime/evaluate.ts";
import { nodeRuntime } from "../src/runtime/node.ts";

const runtime = nodeRuntime({ threads: 1 });
const node = (op: string, inputs: string[], output: string, attributes: Attributes = {}): Node => ({
  name: output,
  op,
  domain: "",
  inputs,
  outputs: [output],
  attributes,
});

/** y = x·w + 1 + [0, 1, 2], where everything but x·w is computed from the shape of x. */
function model(opset: number): Graph {
  const [x, y]: Value[] = ["x", "y"].map((name) => ({ name, dtype: "float32", shape: [2, 3] }));
  if (!x || !y) throw new Error("no values");
  const nodes = [
    node("Mul", ["x", "w"], "product"),
    node("Shape", ["x"], "shape"),
    node("Constant", [], "one", { value: { type: "tensor", value: int64([1], []) } }),
    node("Constant", [], "zero", { value: { type: "tensor", value: int64([0], []) } }),
    node("Gather", ["shape", "one"], "width"),
    node("ConstantOfShape", ["shape"], "ones", { value: { type: "tensor", value: float32([1]) } }),
    node("Size", ["x"], "size"),
    node("Div", ["size", "width"], "rows"),
    node("Sub", ["rows", "one"], "step"),
    node("Range", ["zero", "width", "step"], "steps"),
    node("Cast", ["steps"], "floats", { to: int(1) }),
    node("Add", ["product", "ones"], "shifted"),
    node("Add", ["shifted", "floats"], "y"),
  ];
  const initializers = new Map([["w", float32([0.5, -1, 2])]]);
  const values = new Map<string, Value>([
    ["x", x],
    ["y", y],
    ["w", { name: "w", dtype: "float32", shape: [3] }],
  ]);
  return { name: "shapes", opset, inputs: [x], outputs: [y], nodes, parameters: ["w"], initializers, values };
}

describe("shape arithmetic", () => {
  for (const opset of [13, 17, 24]) {
    it(`of opset ${opset} becomes constants`, async () => {
      const { graph, output } = await compileObjective({
        model: encodeGraph(model(opset)),
        loss: meanSquaredError(),
        runtime,
        batch: 2,
      });
      expect(graph.nodes.map(({ op }) => op)).not.toEqual(
        expect.arrayContaining([expect.stringMatching(/^(Shape|Size|Range|ConstantOfShape|Gather)$/)]),
      );
      const result = await evaluate(
        runtime,
        { ...graph, outputs: graph.outputs.filter(({ name }) => name === output) },
        {
          x: float32([1, 2, 3, 4, 5, 6], [2, 3]),
          w: float32([0.5, -1, 2]),
          target: float32(new Float32Array(6), [2, 3]),
        },
      );
      expect(Array.from(result[output]?.data as Float32Array)).toEqual([1.5, 0, 9, 3, -3, 15]);
    });
  }
});
