import { expect, it } from "vitest";
import { float32, type Tensor, toNumbers } from "../../onnx/tensor.ts";
import { evaluate } from "../../runtime/evaluate.ts";
import { nodeRuntime } from "../../runtime/node.ts";
import { GraphBuilder } from "../full-builder.ts";
import { convolved, correlated, windowMeetings } from "./columns.ts";

const runtime = nodeRuntime({ threads: 1 });

function numbers(shape: readonly number[], phase: number) {
  const size = shape.reduce((product, each) => product * each, 1);
  const data = Float32Array.from({ length: size }, (_, index) => Math.sin(1 + phase + 0.7 * index));
  return float32(data, shape);
}

function numbersOf(tensor: Tensor | undefined): number[] {
  if (!tensor) throw new RangeError("no such output");
  return toNumbers(tensor);
}

it("columns of more numbers than are written out at once come in parts, with the same sums", async () => {
  const g = new GraphBuilder("columns");
  const x = g.input("x", "float32", [256, 64, 4, 4]);
  const w = g.input("w", "float32", [3, 64, 3, 3]);
  const y = g.input("y", "float32", [256, 3, 4, 4]);
  const along = { input: 4, output: 4, size: 3, stride: 1, dilation: 1, before: 1, behind: 1, after: 1 };
  const where = windowMeetings([along, along]);
  const pads = [1, 1, 1, 1];
  const swap = (value: typeof x) => g.transpose(value, { perm: [1, 0, 2, 3] });
  const graph = g.build({
    image: g.conv(x, w, { pads }),
    imageOfParts: convolved(g, w, x, where, y.shape),
    kernel: swap(g.conv(swap(x), swap(y), { pads })),
    kernelOfParts: correlated(g, y, x, where, w.shape),
  });
  // Both in three parts, of which the last takes what is left of the nine places.
  expect(graph.nodes.filter(({ op }) => op === "Gather").length).toBe(6);
  const feeds = { x: numbers(x.shape, 0), w: numbers(w.shape, 1), y: numbers(y.shape, 2) };
  const results = await evaluate(runtime, graph, feeds);
  for (const name of ["image", "kernel"]) {
    const [expected = [], received = []] = [name, `${name}OfParts`].map((each) => numbersOf(results[each]));
    const scale = Math.max(...expected.map(Math.abs));
    expected.forEach((value, index) => {
      expect(Math.abs(value - (received[index] as number)) / scale).toBeLessThan(5e-5);
    });
  }
});
