import { describe, expect, it } from "vitest";
import { smallClassifier } from "../../test/small-classifier.ts";
import { aggregators } from "../aggregate/aggregators.ts";
import * as parts from "../autodiff.ts";
import { zeros } from "../onnx/tensor.ts";
import { fold, keyFromSeed } from "../random/threefry.ts";
import { nodeRuntime } from "../runtime/node.ts";
import { samplers } from "../tangents/samplers.ts";
import { aggregate, forwardGradient } from "./forward-gradient.ts";
import type { Passes } from "./passes.ts";
import { keptSites } from "./sites/kept.ts";
import { redrawnSites } from "./sites/redrawn.ts";
import { keptWeights } from "./weights/kept.ts";
import { redrawnWeights } from "./weights/redrawn.ts";

const runtime = nodeRuntime({ threads: 1 });
const k = 5;
const kinds = { keptWeights, redrawnWeights, keptSites, redrawnSites } as const;

const problem = () => smallClassifier(runtime);

const copy = (arrays: Readonly<Record<string, Float32Array>>) =>
  Object.fromEntries(Object.entries(arrays).map(([name, data]) => [name, data.slice()]));

describe.each(Object.entries(kinds))("%s", (_, open) => {
  const options = { tangents: k, aggregator: aggregators.projection() };

  it.each([
    ["gaussian", samplers.gaussian()],
    ["sphere", samplers.sphere()],
  ])(
    "%s: several that each computed some of the derivatives agree with one that computed all",
    async (_, sampler) => {
      const { objective, feeds } = await problem();
      const key = fold(keyFromSeed(7), 3);
      const whole = await open(objective, { ...options, sampler });
      const estimator = forwardGradient(whole);
      const expected = await estimator.estimate(feeds, key);
      const gradients = copy(expected.gradients);

      // Two workers, each with a process's worth of passes of its own, and a range of the tangents.
      const derivatives = new Float64Array(k * whole.examples);
      for (const [first, count] of [
        [0, 2],
        [2, 3],
      ] as const) {
        const worker: Passes = await open(objective, { ...options, sampler });
        const own = new Float64Array(count * worker.examples);
        worker.draw(key, first, count);
        const { loss } = await worker.derivatives(feeds, first, count, own);
        expect(loss).toBe(expected.loss);
        derivatives.set(own, first * worker.examples);
        await worker.release();
      }
      for (const [index, value] of expected.derivatives.entries())
        expect(derivatives[index]).toBeCloseTo(value, 5);

      // Whoever combines them draws the tangents again, and asks nobody for a gradient.
      const combiner = await open(objective, { ...options, sampler });
      combiner.draw(key, 0, k);
      // What a ReLU cuts off at a site is known after a pass of one's own.
      if (combiner.examples > 1)
        await combiner.derivatives(feeds, 0, k, new Float64Array(k * combiner.examples));
      const coefficients = zeros("float32", [k, combiner.examples]);
      aggregate(combiner.method, derivatives, await combiner.gram(feeds), coefficients);
      const updates = await combiner.combine(feeds, coefficients);
      for (const [name, values] of Object.entries(gradients))
        for (const [index, value] of values.entries()) expect(updates[name]?.[index]).toBeCloseTo(value, 4);
      await Promise.all([estimator.release(), combiner.release()]);
    },
  );
});

describe("the Gram matrix of weights", () => {
  it.each([keptWeights, redrawnWeights])("needs a key alone, no data", async (open) => {
    const { objective } = await problem();
    const passes = await open(objective, {
      tangents: k,
      aggregator: aggregators.projection(),
      sampler: samplers.rademacher(),
    });
    passes.draw(keyFromSeed(1), 0, k);
    const { gram, dimension } = (await passes.gram({}))(0);
    expect(dimension).toBe(4 * 8 + 8 + 8 * 3 + 3);
    // Signs: every tangent has the square of its length in common with itself, n.
    for (let i = 0; i < k; i++) expect(gram[i * k + i]).toBe(dimension);
    await passes.release();
  });
});

describe.each([
  ["kept", parts.keptWeights, 3],
  ["redrawn", parts.redrawnWeights, 1],
] as const)("one step of weights on two machines, tangents %s", (_, open, tangentChunk) => {
  it("exchanges k numbers, and gives the same bytes as on one", async () => {
    const tangents = 6;
    const options = {
      tangents,
      tangentChunk,
      aggregator: aggregators.projection(),
      sampler: samplers.gaussian(),
    };
    const key = fold(keyFromSeed(11), 2);
    const { objective, feeds } = await problem();
    const estimator = parts.forwardGradient(await open(objective, options));
    const expected = await estimator.estimate(feeds, key);

    // Each machine has an objective and tangents of its own, and computes half of the derivatives.
    const machines = await Promise.all(
      [0, 3].map(async (first) => {
        const own = await problem();
        const passes = await open(own.objective, options);
        passes.draw(key, first, 3);
        const derivatives = new Float64Array(3);
        const { loss } = await passes.derivatives(own.feeds, first, 3, derivatives);
        expect(loss).toBe(expected.loss);
        return { passes, derivatives };
      }),
    );
    const exchanged = Float64Array.from(machines.flatMap(({ derivatives }) => [...derivatives]));
    expect(exchanged).toEqual(expected.derivatives);
    // What they know by then is a key and k numbers: G, c and V c follow on each of them, without data.
    for (const { passes } of machines) {
      passes.draw(key, 0, tangents);
      const coefficients = zeros("float32", [tangents, 1]);
      parts.aggregate(passes.method, exchanged, await passes.gram({}), coefficients);
      expect(await passes.combine({}, coefficients)).toEqual(expected.gradients);
    }
    await Promise.all([estimator, ...machines.map(({ passes }) => passes)].map((one) => one.release()));
  });
});
