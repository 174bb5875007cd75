import { describe, expect, it } from "vitest";
import { checkDerivatives } from "../ad/check.ts";
import { type Attributes, type Graph, int, ints, type Node, type Value } from "../onnx/graph.ts";
import { float32, type Tensor } from "../onnx/tensor.ts";
import { evaluate } from "../runtime/evaluate.ts";
import { nodeRuntime } from "../runtime/node.ts";
import { emittedOpset } from "./builder.ts";
import { upgradeGraph } from "./full-upgrade.ts";

const runtime = nodeRuntime({ threads: 1 });
const x = float32([0.5, 1.5, 2.25, 3, 0.75, 1, 4, 2, 0.25, 1.25, 3.5, 2.75], [2, 3, 2]);

/** A graph of one node in an older opset, whose results have these shapes. */
function oldGraph(opset: number, op: string, attributes: Attributes, shapes: readonly number[][]): Graph {
  const input: Value = { name: "x", dtype: "float32", shape: x.shape };
  const outputs = shapes.map((shape, index): Value => ({ name: `y${index}`, dtype: "float32", shape }));
  const node: Node = {
    name: "",
    op,
    domain: "",
    inputs: ["x"],
    outputs: outputs.map(({ name }) => name),
    attributes,
  };
  return {
    name: "old",
    opset,
    inputs: [input],
    outputs,
    nodes: [node],
    parameters: [],
    initializers: new Map(),
    values: new Map([input, ...outputs].map((value) => [value.name, value])),
  };
}

/** The old graph and its upgrade give the same numbers, and the upgrade has right derivatives. */
async function expectSame(graph: Graph) {
  const feeds: Record<string, Tensor> = { x };
  const upgraded = upgradeGraph(graph);
  expect(upgraded.opset).toBe(emittedOpset);
  expect(await evaluate(runtime, upgraded, feeds)).toEqual(await evaluate(runtime, graph, feeds));
  const report = await checkDerivatives(upgraded, {
    evaluate: (given, fed) => evaluate(runtime, given, fed),
    feeds,
  });
  expect(report.forwardError).toBeLessThan(1e-2);
  expect(report.transposeError).toBeLessThan(1e-5);
}

describe("nodes of older opsets", () => {
  const reductions = ["L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "SumSquare"];
  for (const reduction of reductions) {
    it(`Reduce${reduction}: the axes become an input`, async () => {
      const op = `Reduce${reduction}`;
      await expectSame(oldGraph(13, op, { axes: ints([1]), keepdims: int(0) }, [[2, 2]]));
      await expectSame(oldGraph(17, op, { axes: ints([-1, 0]) }, [[1, 3, 1]]));
      await expectSame(oldGraph(13, op, { keepdims: int(0) }, [[]]));
    });
  }

  it("Split: the number of parts becomes an attribute", async () => {
    await expectSame(
      oldGraph(13, "Split", { axis: int(1) }, [
        [2, 1, 2],
        [2, 1, 2],
        [2, 1, 2],
      ]),
    );
  });

  it("constants that the upgrade adds do not take names of the graph", () => {
    const graph = oldGraph(13, "ReduceMin", { axes: ints([1]), keepdims: int(0) }, [[2, 2]]);
    const taken: Value = { name: "upgraded", dtype: "float32", shape: [] };
    const upgraded = upgradeGraph({
      ...graph,
      initializers: new Map([["upgraded", float32([1], [])]]),
      values: new Map([...graph.values, ["upgraded", taken]]),
    });
    expect(upgraded.initializers.get("upgraded")?.dtype).toBe("float32");
    expect(upgraded.nodes[0]?.inputs).toEqual(["x", "upgraded_1"]);
  });
});
