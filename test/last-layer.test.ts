/** Weights with the exact gradient of the last layer: what is exact, what gets tangents, and where there is no such layer. */
import { describe, expect, it } from "vitest";
import { aggregators } from "../src/aggregate/aggregators.ts";
import { exactGradient } from "../src/estimate/exact.ts";
import { weights } from "../src/estimate/weights/weights.ts";
import { momentum } from "../src/guess/momentum.ts";
import { crossEntropy } from "../src/losses/cross-entropy.ts";
import { mlp } from "../src/models/mlp.ts";
import { compileObjective } from "../src/objective/compile-objective.ts";
import { float32, int64 } from "../src/onnx/tensor.ts";
import { fold, keyFromSeed } from "../src/random/threefry.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import { samplers } from "../src/tangents/samplers.ts";

const runtime = nodeRuntime({ threads: 1 });
const batch = 4;
const key = keyFromSeed(2);
const options = { tangents: 3, aggregator: aggregators.projection(), sampler: samplers.gaussian() };

async function problem(hidden: number[], trainable?: (name: string) => boolean) {
  const model = mlp({ input: [5], hidden, outputs: 3, batch });
  const objective = await compileObjective({ model, loss: crossEntropy(), runtime, batch, trainable });
  const numbers = Array.from({ length: batch * 5 }, (_, index) => Math.sin(3 * index + 1));
  const input = float32(numbers, [batch, 5]);
  return { objective, feeds: { ...objective.parameters, input, labels: int64([0, 2, 1, 1]) } };
}

describe("the exact gradient of the last layer, with weights", () => {
  it.each([
    ["kept", {}],
    ["drawn again", { lowMemory: true, tangentChunk: 2 }],
    ["low-rank", { sampler: samplers["low-rank"](), aggregator: aggregators.mean() }],
    ["simulated", { simulated: true }],
  ])(
    "is exact at the estimate's gain, and the others' is as without the layer, with tangents that are %s",
    async (_, more) => {
      const { objective, feeds } = await problem([6, 4]);
      const exact = await exactGradient(objective);
      const expected = (await exact.estimate(feeds, key)).gradients;
      const plan = await weights({ exactLastLayer: true }).plan(objective, { ...options, ...more });
      expect(plan.dimension).toBe(5 * 6 + 6 + 6 * 4 + 4);
      const estimator = await plan.open();
      const { gradients, loss } = await estimator.estimate(feeds, key);
      expect(Object.keys(gradients)).toEqual(Object.keys(expected));
      expect(loss).toBeCloseTo((await exact.estimate(feeds, key)).loss, 5);
      const last = Object.keys(expected).slice(-2);
      for (const name of last)
        for (const [index, value] of (expected[name] as Float32Array).entries())
          expect(gradients[name]?.[index]).toBeCloseTo((estimator.gain ?? 0) * value, 5);
      // Without the last layer among what is trained, tangents and derivatives are the same.
      const alone = await problem([6, 4], (name) => !last.includes(name));
      const without = await (await weights().plan(alone.objective, { ...options, ...more })).open();
      const others = (await without.estimate({ ...feeds, ...alone.objective.parameters }, key)).gradients;
      expect(Object.keys(others)).toHaveLength(4);
      for (const [name, values] of Object.entries(others))
        for (const [index, value] of values.entries()) expect(gradients[name]?.[index]).toBeCloseTo(value, 5);
      await Promise.all([estimator.release(), without.release(), exact.release()]);
    },
  );

  it("has gain 1 beside a guess, which foresees the others", async () => {
    const { objective, feeds } = await problem([6, 4]);
    const plan = await weights({ exactLastLayer: true, guess: momentum() }).plan(objective, options);
    const estimator = await plan.open();
    expect(estimator.gain).toBe(1);
    const state = estimator.init?.() ?? {};
    for (let step = 0; step < 100; step++) await estimator.estimate(feeds, fold(key, step), state);
    expect((await estimator.estimate(feeds, key, state)).unforeseen).toBeLessThan(0.4);
    await estimator.release();
  });

  it("is refused where all parameters lie in it, where none does, and without examples", async () => {
    const refused =
      /exactLastLayer: true needs trained parameters in the last layer.* '.*' has not both\. Leave it out\./s;
    const chosen = weights({ exactLastLayer: true });
    await expect(chosen.plan((await problem([])).objective, options)).rejects.toThrow(refused);
    await expect(
      chosen.plan((await problem([6, 4], (name) => name.startsWith("layer1"))).objective, options),
    ).rejects.toThrow(refused);
  });
});
