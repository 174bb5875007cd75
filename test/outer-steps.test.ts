/** Outer steps: parts of a batch descend by themselves, and their mean change is a gradient. */
import { describe, expect, it } from "vitest";
import { epochOrder, splitValidation } from "../src/data/batches.ts";
import { meanSquaredError } from "../src/losses/mean-squared-error.ts";
import { decodeModel } from "../src/onnx/decode.ts";
import { float32 } from "../src/onnx/tensor.ts";
import { GraphBuilder } from "../src/ops/full-builder.ts";
import { streamKey } from "../src/random/streams.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import type { TrainOptions } from "../src/train/settings/options.ts";
import { train } from "../src/train/train.ts";

const runtime = nodeRuntime({ threads: 1 });
const [count, width, seed] = [24, 3, 4];
const inputs = Float32Array.from({ length: count * width }, (_, index) => Math.sin(index * index));
const labels = Float32Array.from({ length: count }, (_, index) => Math.cos(3 * index));
const first = [0.3, -0.2, 0.5];

/** y = x·w, for batches of so many rows. */
function linear(rows: number) {
  const g = new GraphBuilder("linear");
  const x = g.input("x", "float32", [rows, width]);
  return g.build({ y: g.matMul(x, g.parameter("w", float32(first, [width, 1]))) });
}

async function trained(options: Partial<TrainOptions>, rows: number): Promise<readonly number[]> {
  const run = train({
    ...{ model: linear(rows), runtime, seed, validation: 0, loss: meanSquaredError(), gradient: "exact" },
    ...{ examples: { inputs, labels }, schedule: "constant", learningRate: 0.05, ...options },
  });
  for await (const event of run)
    if (event.kind === "done")
      return Array.from(decodeModel(event.model).initializers.get("w")?.data ?? [], Number);
  return [];
}

/** ∇ of the mean of (x·w − y)² over some examples, in float64. */
function gradient(w: readonly number[], examples: ArrayLike<number>): number[] {
  const sum = w.map(() => 0);
  for (const example of Array.from(examples)) {
    const x = w.map((_, at) => inputs[example * width + at] as number);
    const wrong =
      x.reduce((total, value, at) => total + value * (w[at] as number), 0) - (labels[example] ?? 0);
    for (const [at, value] of x.entries())
      sum[at] = (sum[at] as number) + (2 * wrong * value) / examples.length;
  }
  return sum;
}

/** DiLoCo as its algorithm 1 has it, in float64: local descent, mean change, Nesterov's momentum as PyTorch has it. */
function diloco(given: {
  outer: number;
  local: number;
  parts: number;
  rows: number;
  rate: number;
  momentum: number;
}) {
  const { outer, local, parts, rows, rate, momentum } = given;
  const { train } = splitValidation(count, 0, streamKey(seed, "split"));
  const perEpoch = count / (rows * parts);
  let w = [...first];
  let speed = w.map(() => 0);
  for (let step = 0; step < outer; step++) {
    const mean = w.map(() => 0);
    for (let part = 0; part < parts; part++) {
      let own = [...w];
      for (let now = step * local; now < (step + 1) * local; now++) {
        const order = epochOrder(train, streamKey(seed, "order"), Math.floor(now / perEpoch));
        const start = ((now % perEpoch) * parts + part) * rows;
        const g = gradient(own, order.subarray(start, start + rows));
        own = own.map((value, at) => value - 0.05 * (g[at] as number));
      }
      for (const [at, value] of own.entries())
        mean[at] = (mean[at] ?? 0) + ((w[at] as number) - value) / parts;
    }
    speed = speed.map((value, at) => momentum * value + (mean[at] as number));
    w = w.map((value, at) => value - rate * ((mean[at] as number) + momentum * (speed[at] as number)));
  }
  return w;
}

describe("outer steps", () => {
  it("are plain descent with one part, one local step, the rate 1 and no momentum", async () => {
    const plain = await trained({ steps: 12, batch: 6 }, 6);
    const batch = { size: 6, localSteps: 1, outerRate: 1, outerMomentum: 0 };
    const found = await trained({ steps: 12, batch }, 6);
    expect(plain).not.toEqual(first);
    for (const [at, value] of found.entries()) expect(value).toBeCloseTo(plain[at] as number, 6);
  });

  for (const [parts, local, momentum] of [
    [1, 4, 0],
    [2, 3, 0.9],
    [4, 5, 0.9],
  ] as const)
    it(`are DiLoCo's: ${parts} parts, ${local} local steps, momentum ${momentum}`, async () => {
      const rows = 3;
      const batch = { size: rows * parts, accumulate: parts, localSteps: local, outerMomentum: momentum };
      const found = await trained({ steps: 6, batch }, rows);
      const expected = diloco({ outer: 6, local, parts, rows, rate: 0.7, momentum });
      for (const [at, value] of found.entries()) expect(value).toBeCloseTo(expected[at] as number, 5);
    });

  it("are refused by name where they have no effect", async () => {
    const batch = { size: 6, localSteps: 2 };
    await expect(trained({ batch, gradient: "law" }, 6)).rejects.toThrow(
      /batch\.localSteps.* do not go with gradient: "law"/,
    );
    await expect(trained({ batch, gradient: "forward", quality: { every: 1 } }, 6)).rejects.toThrow(
      /do not go with quality\.every: 1/,
    );
    await expect(trained({ batch, schedule: "plateau" }, 6)).rejects.toThrow(
      /do not go with schedule: "plateau"/,
    );
    await expect(trained({ batch: { size: 6, outerRate: 1 } }, 6)).rejects.toThrow(
      /outerRate: 1 is about steps between local ones \(batch\.localSteps\)/,
    );
  });
});
