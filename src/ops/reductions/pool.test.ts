import { expect, it } from "vitest";
import type { Tensor } from "../../onnx/tensor.ts";
import { compileGraph } from "../../runtime/evaluate.ts";
import { nodeRuntime } from "../../runtime/node.ts";
import { GraphBuilder } from "../full-builder.ts";
import { fasterGraph } from "../upgrade.ts";

it("finds the first of equal numbers by comparisons, as the runtime's own kernel does", async () => {
  const shape = [4, 4, 32, 34];
  const g = new GraphBuilder("pool");
  const x = g.input("x", "float32", shape);
  const [largest, positions] = g.node(
    "MaxPool",
    [x],
    { kernel_shape: { type: "ints", value: [2, 2] }, strides: { type: "ints", value: [2, 2] } },
    { outputs: 2 },
  );
  const graph = g.build({ largest: largest as typeof x, positions: positions as typeof x });
  const length = shape.reduce((product, size) => product * size, 1);
  // Few different numbers, half of them 0 of either sign.
  const data = Float32Array.from({ length }, (_, index) =>
    Math.max(((index * 7919) % 31) % 5, 2) === 2 ? (index % 3 === 0 ? -0 : 0) : ((index * 31) % 7) - 3,
  );
  const feeds = { x: { dtype: "float32" as const, shape, data } };
  const results: Record<string, Tensor>[] = [];
  for (const one of [graph, fasterGraph(graph)]) {
    const session = await compileGraph(nodeRuntime(), one);
    results.push(await session.run(feeds));
    await session.release();
  }
  expect(fasterGraph(graph).nodes.length).toBeGreaterThan(5);
  expect(results[1]?.positions).toEqual(results[0]?.positions);
  expect(results[1]?.largest?.data.every((value, index) => value === results[0]?.largest?.data[index])).toBe(
    true,
  );
});
