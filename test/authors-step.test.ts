import { describe, expect, it } from "vitest";
import { crossEntropy } from "../src/losses/cross-entropy.ts";
import { mlp } from "../src/models/mlp.ts";
import { compileObjective } from "../src/objective/compile-objective.ts";
import { int64 } from "../src/onnx/tensor.ts";
import { fold, type Key, keyFromSeed } from "../src/random/threefry.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import { settingsOf } from "../src/studies/networks/runs.ts";
import { createEstimator } from "../src/train/settings/estimator.ts";
import golden from "./goldens/authors-step.golden.json" with { type: "json" };
import { relativeError } from "./relative-error.ts";

const [batch, k] = [5, 4];
const step = keyFromSeed(7);

const sines = (count: number, phase: number, scale: number) =>
  Float32Array.from({ length: count }, (_, index) => scale * Math.sin((0.7 + 0.13 * phase) * index + phase));

/** The tangents of goldens/authors_step.py, by the stream that they are drawn from. */
const phases = new Map(
  Array.from({ length: k }, (_, i) =>
    [0, 1, 2].map((site) => [String(fold(fold(step, i), site)), 2 * i ** 2 + 5 * site] as const),
  ).flat(),
);
const given = {
  name: "given",
  fill: (key: Key, _: number, out: Float32Array) =>
    out.set(sines(out.length, phases.get(String(key)) ?? Number.NaN, 1)),
};

describe("a step in the paper's setting", () => {
  it.each([
    ["mean", "forward"],
    ["mean", "simulated"],
    ["projection", "forward"],
    ["projection", "simulated"],
  ] as const)(
    "is the authors' by the %s of %s derivatives, number by number",
    async (aggregate, gradient) => {
      const model = mlp({ input: [1, 3, 4], hidden: [7, 7], outputs: 4 });
      const objective = await compileObjective({
        ...{ model, loss: crossEntropy(), batch },
        runtime: nodeRuntime({ threads: 1 }),
      });
      for (const [index, { data }] of Object.values(objective.parameters).entries())
        data.set(sines(data.length, 3 * index, 0.4));
      // An estimator takes no settings of the loop.
      const { learningRate, schedule, patience, ...settings } = settingsOf({
        ...{ path: "paper", network: "fc-256", dataset: "mnist" },
        method: { gradient: aggregate, k },
      });
      const estimator = await createEstimator(objective, { ...settings, gradient, sampler: given });
      const { loss, gradients } = await estimator.estimate(
        {
          ...objective.parameters,
          input: { dtype: "float32", shape: [batch, 1, 3, 4], data: sines(batch * 12, 1, 1) },
          labels: int64([0, 2, 1, 3, 0]),
        },
        step,
      );
      await estimator.release();
      expect(loss).toBeCloseTo(golden.loss, 5);
      const own = Object.values(gradients);
      expect(own.map(({ length }) => length)).toEqual(golden[aggregate].map(({ length }) => length));
      for (const [index, expected] of golden[aggregate].entries())
        expect(relativeError([...(own[index] ?? [])], expected)).toBeLessThan(1e-4);
    },
  );
});
