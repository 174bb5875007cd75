import { expect, it } from "vitest";
import { float32, toNumbers } from "../onnx/tensor.ts";
import { GraphBuilder } from "../ops/full-builder.ts";
import { evaluate } from "../runtime/evaluate.ts";
import { nodeRuntime } from "../runtime/node.ts";
import { gradientGraph } from "./gradient.ts";
import { lateRelus } from "./late-relus.ts";

/** Pools of what a ReLU lets through, many windows of which hold nothing, and the value of a second ReLU that others read, too. */
function pools() {
  const g = new GraphBuilder("pools");
  const x = g.input("x", "float32", [2, 3, 6, 6]);
  const pool = { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] };
  const first = g.maxPool(g.relu(x), pool);
  const rectified = g.relu(g.sub(first, 0.1));
  const second = g.maxPool(rectified, { kernel_shape: [2, 2] });
  const total = g.reduceSum(g.mul(second, second), { keepdims: 0 });
  return g.build({ loss: g.add(total, g.reduceSum(rectified, { keepdims: 0 })) });
}

it("pools stand before the ReLU that they alone read, with the same loss and gradient", async () => {
  const graph = pools();
  const late = lateRelus(graph);
  const order = (nodes: typeof graph.nodes) =>
    nodes.map(({ op }) => op).filter((op) => op === "Relu" || op === "MaxPool");
  expect(order(graph.nodes)).toEqual(["Relu", "MaxPool", "Relu", "MaxPool"]);
  expect(order(late.nodes)).toEqual(["MaxPool", "Relu", "Relu", "MaxPool"]);
  // Ties, and windows of negative numbers alone.
  const data = Float32Array.from({ length: 216 }, (_, index) => Math.round(2 * Math.sin(1.3 * index)) - 1);
  const feeds = { x: float32(data, [2, 3, 6, 6]) };
  const [expected, received] = await Promise.all(
    [graph, late].map((each) =>
      evaluate(nodeRuntime({ threads: 1 }), gradientGraph(each, ["x"], "loss"), feeds),
    ),
  );
  for (const name of ["loss", "gradient/x"]) {
    const [a, b] = [expected?.[name], received?.[name]].map((tensor) => (tensor ? toNumbers(tensor) : []));
    expect(a?.length).toBeGreaterThan(0);
    // Zeros of either sign are the same number.
    expect(b?.map((each) => each + 0)).toEqual(a?.map((each) => each + 0));
  }
});
