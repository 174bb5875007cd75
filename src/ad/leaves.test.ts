import { expect, it } from "vitest";
import { getValue } from "../onnx/graph.ts";
import { float32 } from "../onnx/tensor.ts";
import { GraphBuilder } from "../ops/full-builder.ts";
import { evaluate } from "../runtime/evaluate.ts";
import { nodeRuntime } from "../runtime/node.ts";
import { gradientGraph } from "./gradient.ts";
import { earlyResults } from "./leaves.ts";

/** Three layers of a parameter each, and a sum. */
function layers() {
  const g = new GraphBuilder("layers");
  const x = g.input("x", "float32", [2, 3]);
  const y = ["first", "second", "third"].reduce((value, name) => {
    const weight = g.parameter(name, float32([0.5, -0.2, 0.1, 0.4, 0.3, -0.6, 0.2, 0.7, -0.1], [3, 3]));
    return g.tanh(g.matMul(value, weight));
  }, x);
  return g.build({ loss: g.reduceSum(y, { keepdims: 0 }) });
}

it("gradients of later layers are written down behind those of earlier ones, and none is a copy", () => {
  const given = gradientGraph(layers(), ["first", "second", "third"], "loss");
  const graph = earlyResults(given);
  const results = graph.nodes
    .flatMap(({ outputs }) => outputs)
    .filter((name) => name.startsWith("gradient/") || name === "loss");
  expect(results).toEqual(["gradient/first", "gradient/second", "gradient/third", "loss"]);
  expect(graph.nodes.slice(-4).flatMap(({ outputs }) => outputs)).toEqual(results);
  expect(given.nodes.some(({ op }) => op === "Identity")).toBe(true);
  expect(graph.nodes.some(({ op }) => op === "Identity")).toBe(false);
  // Still in topological order.
  const known = new Set([...graph.inputs.map(({ name }) => name), ...graph.initializers.keys()]);
  for (const { inputs, outputs } of graph.nodes) {
    expect(inputs.filter((name) => name !== "" && !known.has(name))).toEqual([]);
    for (const name of outputs) known.add(name);
  }
});

it("the results are the same numbers, under the same names and types", async () => {
  const given = gradientGraph(layers(), ["first", "second", "third"], "loss");
  const graph = earlyResults(given);
  const runtime = nodeRuntime({ threads: 1 });
  const feeds = {
    x: float32([1, 2, -1, 0.5, -0.3, 2], [2, 3]),
    ...Object.fromEntries([...graph.initializers].filter(([name]) => graph.parameters.includes(name))),
  };
  expect(await evaluate(runtime, graph, feeds)).toEqual(await evaluate(runtime, given, feeds));
  for (const { name, shape } of given.outputs) expect(getValue(graph, name).shape).toEqual(shape);
});

it("a result that is also an input, a parameter or another result stays a copy", async () => {
  const g = new GraphBuilder("copies");
  const x = g.input("x", "float32", [2]);
  const y = g.exp(x);
  const graph = earlyResults(g.build({ same: x, one: y, two: y }));
  expect(graph.nodes.map(({ op }) => op).sort()).toEqual(["Exp", "Identity", "Identity"]);
  const results = await evaluate(nodeRuntime({ threads: 1 }), graph, { x: float32([0, 0], [2]) });
  expect(results).toMatchObject({ same: { shape: [2] }, one: { shape: [2] }, two: { shape: [2] } });
  expect([...(results.two?.data ?? [])]).toEqual([1, 1]);
});
