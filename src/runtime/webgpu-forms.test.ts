import { afterAll, describe, expect, it } from "vitest";
import { decodeModel } from "../onnx/decode.ts";
import { encodeGraph } from "../onnx/encode.ts";
import { int, type Value } from "../onnx/graph.ts";
import { GraphBuilder } from "../ops/full-builder.ts";
import { nodeRuntime } from "./node.ts";
import type { Session } from "./runtime.ts";
import { findWebgpuGaps } from "./webgpu-gaps.ts";

const runtime = nodeRuntime({ threads: 1 });
const sessions: Session[] = [];
afterAll(async () => {
  for (const session of sessions) await session.release();
});

const { POSITIVE_INFINITY: infinity } = Number;
const rows = [
  [-2, -0, 0, 3],
  [1e30, -1e-30, 88, -90],
  [1000, 999, -1000, 0],
];

describe("ops without a kernel of WebGPU", () => {
  it.each([
    ["Sign", {}, [[-infinity, infinity, 1, -1], ...rows]],
    ["LogSoftmax", {}, rows],
    ["LogSoftmax", { axis: int(0) }, rows],
  ] as const)("%s is written as others that say the same: %j", async (op, attributes, values) => {
    const shape = [values.length, 4];
    const g = new GraphBuilder("forms");
    const [y] = g.node(op, [g.input("x", "float32", shape)], attributes);
    const bytes = encodeGraph(g.build({ y: y as Value }));
    const { model, names } = findWebgpuGaps(bytes);
    expect(names).toEqual([]);
    expect(decodeModel(model).nodes.map((node) => node.op)).not.toContain(op);
    const x = { dtype: "float32", shape, data: Float32Array.from(values.flat()) } as const;
    const [written, own] = await Promise.all(
      [model, bytes].map(async (given) => {
        const session = await runtime.createSession(given);
        sessions.push(session);
        return Array.from((await session.run({ x })).y?.data ?? [], Number);
      }),
    );
    expect(own).toHaveLength(values.length * 4);
    for (const [at, value] of (own ?? []).entries()) {
      if (Number.isFinite(value)) expect(written?.[at]).toBeCloseTo(value, 4);
      else expect(written?.[at]).toBe(value);
    }
  });

  it("stay as they are where the file's opset has not what they are written as", () => {
    const g = new GraphBuilder("forms");
    const [y] = g.node("Sign", [g.input("x", "float32", [2])]);
    const bytes = encodeGraph({ ...g.build({ y: y as Value }), opset: 14 });
    expect(findWebgpuGaps(bytes).model).toBe(bytes);
  });
});
