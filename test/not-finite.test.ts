import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { meanSquaredError } from "../src/losses/mean-squared-error.ts";
import { importWarnings } from "../src/objective/importing/import-warnings.ts";
import { decodeModel } from "../src/onnx/decode.ts";
import { float32 } from "../src/onnx/tensor.ts";
import { GraphBuilder } from "../src/ops/full-builder.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import type { TrainOptions } from "../src/train/settings/options.ts";
import { train } from "../src/train/train.ts";

const runtime = nodeRuntime({ threads: 1 });
const folder = new URL("cases/not-finite/", import.meta.url);
const read = (name: string) =>
  decodeModel(new Uint8Array(readFileSync(new URL(`${name}.onnx`, folder))), { source: `${name}.onnx` });

const examples = { inputs: new Float32Array(24).fill(1), labels: new Float32Array(16).fill(1) };

async function finish(model: TrainOptions["model"], options: Partial<TrainOptions> = {}): Promise<number> {
  const settings = {
    model,
    runtime,
    examples,
    loss: meanSquaredError(),
    validation: 0,
    batch: 4,
    steps: 2,
    ...options,
  };
  let loss = Number.NaN;
  for await (const event of train(settings)) if (event.kind === "step") loss = event.loss;
  return loss;
}

describe("weights that are not finite", () => {
  it.each([
    [
      "nan-weight",
      /nan-weight\.onnx: '(layer\.)?weight' \[2, 3\] holds 1 number that is NaN or infinite, the first at \[1, 2\] \(NaN\)/,
    ],
    [
      "nan-weights-script",
      /'(layer\.)?weight' \[2, 3\] holds 2 numbers that are NaN or infinite, the first at \[0, 1\] \(NaN\)/,
    ],
    ["infinite-bias", /'b' \[2\] holds 1 number .* the first at \[0\] \(Infinity\)/],
  ])("are named where they would be trained: %s", async (name, message) => {
    await expect(finish(read(name))).rejects.toThrow(message);
  });

  it("are a warning where they are not trained, and masks are none", () => {
    expect(importWarnings(read("infinite-bias"), ["w"]).join()).toMatch(/'b' \[2\] holds 1 number/);
    expect(importWarnings(read("mask"), ["w"])).toEqual([]);
  });
});

describe("a run that meets NaN or infinity names the node where it began, and no learning rate", () => {
  it.each([
    ["log-of-zero", /the first infinity is in the output of Log node '[^']+'.*keep its input above 0/],
    [
      "root-of-negative-script",
      /the first NaN is in the output of Sqrt node '[^']+'.*keep its input above 0/,
    ],
    ["division-by-zero", /the first infinity is in the output of Div node 'q'.*away from dividing by 0/],
    ["root-at-zero", /the first infinity is in the derivative of Sqrt node '[^']+'.*keep its input above 0/],
  ])("%s", async (name, message) => {
    for (const settings of [
      { gradient: "exact" },
      { perturb: "weights", tangents: 2 },
      { tangents: 2 },
    ] as const) {
      const run = finish(read(name), settings);
      await expect(run).rejects.toThrow(message);
      await expect(run).rejects.not.toThrow(/--lr|learningRate/);
    }
  });

  it("log(sigmoid(-60)) is none, in training and in validation", async () => {
    const settings = { gradient: "exact", validation: 2, steps: 1 } as const;
    expect(await finish(read("log-of-sigmoid"), settings)).toBeCloseTo((-60 - 1) ** 2, 1);
  });

  it("where an overflow comes of the steps, the rate is the remedy", async () => {
    const g = new GraphBuilder("steep");
    const x = g.input("x", "float32", [4, 3]);
    const model = g.build({ y: g.exp(g.matMul(x, g.parameter("w", float32([1, 1, 1, 1, 1, 1], [3, 2])))) });
    const run = finish(model, {
      gradient: "exact",
      examples: { ...examples, labels: new Float32Array(16).fill(1000) },
      learningRate: 1,
      steps: 5,
      divergenceFactor: 1e38,
    });
    await expect(run).rejects.toThrow(/diverged.*learningRate: /s);
  });
});
