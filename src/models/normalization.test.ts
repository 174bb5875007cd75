import { describe, expect, it } from "vitest";
import { float32 } from "../onnx/tensor.ts";
import { GraphBuilder } from "../ops/full-builder.ts";
import { evaluate } from "../runtime/evaluate.ts";
import { nodeRuntime } from "../runtime/node.ts";
import { denormalize, type Normalization, normalize } from "./normalization.ts";

const runtime = nodeRuntime({ threads: 1 });
const shape = [2, 3, 2, 2];
const data = Float32Array.from({ length: 24 }, (_, at) => (at * 7) % 11);

async function apply(emit: typeof normalize, normalization: Normalization, inputShape = shape) {
  const g = new GraphBuilder("normalization");
  const x = g.input("x", "float32", inputShape);
  const graph = g.build({ y: emit(g, x, normalization) });
  const { y } = await evaluate(runtime, graph, { x: float32(data, inputShape) });
  expect(y?.shape).toEqual(inputShape);
  return Array.from(y?.data ?? [], Number);
}

describe("normalization inside a graph", () => {
  it("takes one number for all", async () => {
    const received = await apply(normalize, { mean: 3, standardDeviation: 2 });
    expect(received).toEqual(Array.from(data, (value) => (value - 3) / 2));
  });

  it("takes numbers for each channel of images and each column of tables", async () => {
    const [mean, standardDeviation] = [
      [1, 2, 3],
      [0.5, 2, 4],
    ];
    const channel = (at: number) => Math.floor(at / 4) % 3;
    const images = await apply(normalize, { mean, standardDeviation });
    expect(images).toEqual(
      Array.from(
        data,
        (value, at) => (value - (mean?.[channel(at)] ?? 0)) / (standardDeviation?.[channel(at)] ?? 0),
      ),
    );
    const rows = await apply(normalize, { mean, standardDeviation }, [8, 3]);
    expect(rows).toEqual(
      Array.from(data, (value, at) => (value - (mean?.[at % 3] ?? 0)) / (standardDeviation?.[at % 3] ?? 0)),
    );
  });

  it("is undone by denormalization", async () => {
    const normalization = { mean: [1, 2, 3], standardDeviation: [0.5, 2, 4] };
    const g = new GraphBuilder("there and back");
    const x = g.input("x", "float32", [8, 3]);
    const y = denormalize(g, normalize(g, x, normalization), normalization);
    const result = await evaluate(runtime, g.build({ y }), { x: float32(data, [8, 3]) });
    expect(Array.from(result.y?.data ?? [], Number)).toEqual(Array.from(data));
  });

  it("refuses numbers that do not fit", () => {
    const g = new GraphBuilder("wrong");
    const x = g.input("x", "float32", shape);
    expect(() => normalize(g, x, { mean: [1, 2], standardDeviation: 1 })).toThrow(
      "Normalization has 2 numbers in 'mean' for the value 'x' of shape [2, 3, 2, 2]; expected one for all, or 3",
    );
    for (const wrong of [0, -1, Number.NaN, Number.POSITIVE_INFINITY])
      expect(() => normalize(g, x, { mean: 0, standardDeviation: [1, wrong, 1] })).toThrow("must be above 0");
  });
});
