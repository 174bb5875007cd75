import { expect, test } from "vitest";
import { float32 } from "../onnx/tensor.ts";
import { GraphBuilder } from "../ops/full-builder.ts";
import { evaluate } from "../runtime/evaluate.ts";
import { nodeRuntime } from "../runtime/node.ts";
import { attachLoss } from "./loss.ts";
import { meanSquaredError } from "./mean-squared-error.ts";

const runtime = nodeRuntime({ threads: 1 });

async function losses(options: Parameters<typeof meanSquaredError>[0]): Promise<number[]> {
  const g = new GraphBuilder("regression");
  const graph = g.build({ y: g.mul(g.input("x", "float32", [2, 2]), 1) });
  const feeds = { x: float32([3, 10, 1, 30], [2, 2]), target: float32([1, 20, 1, 10], [2, 2]) };
  const result = await evaluate(runtime, attachLoss(graph, meanSquaredError(options), "y"), feeds);
  return Array.from(result.losses?.data ?? [], Number);
}

test("differences count in units of the scale, one for all or for each output", async () => {
  expect(await losses({})).toEqual([(4 + 100) / 2, 400 / 2]);
  expect(await losses({ scale: 2 })).toEqual([(1 + 25) / 2, 100 / 2]);
  expect(await losses({ scale: [2, 10] })).toEqual([(1 + 1) / 2, 4 / 2]);
});

test("a scale that does not fit is refused", async () => {
  for (const scale of [0, -1, Number.NaN, [1, 0]])
    expect(() => meanSquaredError({ scale })).toThrow(
      "loss.scale must be a number above 0, or a list of such numbers, received ",
    );
  await expect(losses({ scale: [1, 2, 3] })).rejects.toThrow("has 3 scales for 'y' of shape [2, 2]");
});
