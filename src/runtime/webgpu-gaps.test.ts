import { describe, expect, it } from "vitest";
import { decodeModel } from "../onnx/decode.ts";
import { encodeGraph } from "../onnx/encode.ts";
import { int, string } from "../onnx/graph.ts";
import { GraphBuilder } from "../ops/full-builder.ts";
import { findWebgpuGaps } from "./webgpu-gaps.ts";

describe("the nodes that stay on the CPU", () => {
  const encoded = (names: readonly string[]) => {
    const g = new GraphBuilder("gaps");
    let x = g.input("x", "float32", [2, 2]);
    for (const name of names) x = g.node("Einsum", [x], { equation: string("ij->ji") }, { name })[0] ?? x;
    const [y] = g.node("ReduceL1", [x], { noop_with_empty_axes: int(0) }, { name: "kept" });
    return encodeGraph(g.build({ y: y ?? x }));
  };

  it("are found by their attributes, in a model that stays as it is", () => {
    const model = encoded(["a", "b"]);
    expect(findWebgpuGaps(model)).toEqual({ model, names: ["a", "b"] });
    expect(findWebgpuGaps(encoded([])).names).toEqual([]);
  });

  it("get names of their own where they have none, because ONNX Runtime finds them by name", () => {
    const { nodes } = decodeModel(encoded(["same", "same"]));
    expect(nodes.slice(0, 2).map(({ name }) => name)).toEqual(["same", "same"]);
    const [first, second] = nodes.map(({ outputs }) => outputs[0]);
    const twice = findWebgpuGaps(encoded(["same", "same"]));
    expect(twice.names).toEqual([`Einsum of ${first}`, `Einsum of ${second}`]);
    expect(
      decodeModel(twice.model)
        .nodes.slice(0, 2)
        .map(({ name }) => name),
    ).toEqual(twice.names);
  });
});
