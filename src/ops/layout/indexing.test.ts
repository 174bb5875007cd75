import { describe, expect, it } from "vitest";
import { gradientGraph } from "../../ad/gradient.ts";
import { float32, int64, type Tensor } from "../../onnx/tensor.ts";
import { evaluate } from "../../runtime/evaluate.ts";
import { nodeRuntime } from "../../runtime/node.ts";
import { GraphBuilder } from "../full-builder.ts";
import { upgradeGraph } from "../full-upgrade.ts";

// Several threads and many updates of few places: what a lookup in a small table meets.
const runtime = nodeRuntime({ threads: 4 });
const [rows, width, count] = [10, 1, 200_000];
const positions = Array.from({ length: count }, (_, index) => (index * 7919) % rows);
const weights = Float32Array.from({ length: count }, (_, index) => (index % 3) - 1);

/** Σ of the weights that meet in each row. */
const expected = Array.from({ length: rows }, (_, row) =>
  positions.reduce(
    (total, position, index) => (position === row ? total + (weights[index] as number) : total),
    0,
  ),
);

describe("repeated indices", () => {
  for (const op of ["Gather", "GatherND"] as const) {
    it(`${op}: the gradient of a table counts every lookup`, async () => {
      const g = new GraphBuilder("lookups");
      const table = g.parameter("table", float32(new Float32Array(rows * width), [rows, width]));
      const indices = g.constant(
        int64(
          positions.map((position, index) => (index % 2 === 0 ? position : position - rows)),
          op === "Gather" ? [count] : [count, 1],
        ),
      );
      const found = g.emit(op, [table, indices]);
      const total = g.reduceSum(g.mul(found, g.constant(float32(weights, [count, width]))), { keepdims: 0 });
      const graph = gradientGraph(g.build({ total }), ["table"], "total");
      for (let run = 0; run < 5; run++) {
        const result = await evaluate(runtime, graph, {});
        expect(Array.from((result["gradient/table"] as Tensor).data, Number)).toEqual(expected);
      }
    });
  }

  it("ScatterND with add: every update counts", async () => {
    const g = new GraphBuilder("scatter");
    const data = g.input("data", "float32", [rows, width]);
    const updates = g.constant(float32(weights, [count, width]));
    const y = g.scatterND(data, g.constant(int64(positions, [count, 1])), updates, { reduction: "add" });
    const graph = upgradeGraph(g.build({ y }));
    for (let run = 0; run < 5; run++) {
      const result = await evaluate(runtime, graph, {
        data: float32(new Float32Array(rows * width), [rows, width]),
      });
      expect(Array.from((result.y as Tensor).data, Number)).toEqual(expected);
    }
  });
});
