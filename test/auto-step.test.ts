import { describe, expect, it } from "vitest";
import { meanSquaredError } from "../src/losses/mean-squared-error.ts";
import { float32 } from "../src/onnx/tensor.ts";
import { GraphBuilder } from "../src/ops/builder.ts";
import type { TrainOptions } from "../src/train/settings/options.ts";
import { train } from "../src/train/train.ts";
import { examples, finish, memory, model, runtime } from "./circle.ts";

const auto = { learningRate: "auto", epochs: 3 } as const;

async function ratesOf(options: Partial<TrainOptions>): Promise<number[]> {
  const rates: number[] = [];
  for await (const event of train({ ...linear(), runtime, batch: 16, schedule: "constant", ...options }))
    if (event.kind === "step") rates.push(event.learningRate);
  return rates;
}

/** One weight on inputs ±scale: f = (w·x − y)², whose curvature is 2·scale² everywhere. */
function linear(scale = 1) {
  const g = new GraphBuilder("linear");
  const output = g.matMul(g.input("input", "float32", [16, 1]), g.parameter("weight", float32([3], [1, 1])));
  const signs = Float32Array.from({ length: 320 }, (_, place) => (place % 2 === 0 ? scale : -scale));
  return {
    model: g.build({ output }),
    loss: meanSquaredError(),
    examples: { inputs: signs, labels: signs.map((value) => 0.5 * value) },
    gradient: "exact" as const,
  };
}

describe("an automatic learning rate", () => {
  it("is what the curvature of a linear model allows, whatever its scale", async () => {
    // The best step is 1/(2·scale²); a start of half of 1.8 times it, and no more than the default of 0.25.
    for (const scale of [1, 4, 20]) {
      const [first] = await ratesOf({ ...linear(scale), learningRate: "auto", steps: 1 });
      expect((first ?? 0) / Math.min(0.25, (0.5 * 1.8) / (2 * scale ** 2))).toBeCloseTo(1, 4);
    }
  });

  it("trains where the default rate diverges, with any schedule", async () => {
    for (const schedule of ["constant", "cosine"] as const) {
      const steep = { ...linear(20), runtime, batch: 16, epochs: 3, schedule };
      await expect(finish(steep)).rejects.toThrow("Training diverged");
      const { trainLoss, learningRate } = await finish({ ...steep, learningRate: "auto" });
      // The first loss is (2.5·20)².
      expect(trainLoss).toBeLessThan(2500 / 1e4);
      expect(learningRate).toBeLessThan(2 / 800);
    }
  });

  it("is the same, run after run, and in a resumed run", async () => {
    for (const options of [
      { ...auto, perturb: "weights", tangents: 4 },
      { ...auto, optimizer: "adam" },
      { ...auto, optimizer: { name: "sgd", momentum: 0.9 }, schedule: "linear" },
    ] as const) {
      const whole = memory();
      const result = await finish({ ...options, store: whole });
      for (const moment of [3, 10, 27]) {
        const store = memory();
        const stop = new AbortController();
        const events = train({
          model,
          examples,
          runtime,
          batch: 32,
          ...options,
          store,
          signal: stop.signal,
        });
        for await (const event of events) if (event.kind === "step" && event.step === moment) stop.abort();
        const resumed = await finish({ ...options, store, resume: true });
        expect(resumed.learningRate).toBe(result.learningRate);
        expect(store.files.get("model.onnx")).toEqual(whole.files.get("model.onnx"));
      }
    }
  });

  it("is part of what a run is", async () => {
    const store = memory();
    await finish({ ...auto, steps: 2, store });
    await expect(finish({ steps: 2, learningRate: 0.1, epochs: 3, store, resume: true })).rejects.toThrow(
      "learningRate was auto, now 0.1",
    );
  });

  it("is refused with low memory", async () => {
    await expect(finish({ ...auto, lowMemory: true })).rejects.toThrow(
      'lowMemory: true has no effect with learningRate: "auto", which measures a curvature with the values of all layers ' +
        "at once; leave it out, or give a learning rate",
    );
  });
});
