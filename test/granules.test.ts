/** Weights training in granules: the estimate of weight perturbation, whoever computes its derivatives, and what is missing of them. */
import { afterAll, describe, expect, it } from "vitest";
import { mean } from "../src/aggregate/mean.ts";
import { projection } from "../src/aggregate/projection.ts";
import { openGranulePass } from "../src/distributed/weights/granule.ts";
import { inGranules } from "../src/distributed/weights/granules.ts";
import { granulesOf } from "../src/distributed/weights/slices.ts";
import { exactGradient } from "../src/estimate/exact.ts";
import { keyFromSeed } from "../src/random/threefry.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import { gaussian } from "../src/tangents/gaussian.ts";
import { lowRank } from "../src/tangents/low-rank.ts";
import { rademacher } from "../src/tangents/rademacher.ts";
import { createEstimator } from "../src/train/settings/estimator.ts";
import { losing } from "./losing-granules.ts";
import { smallClassifier } from "./small-classifier.ts";

const runtime = nodeRuntime({ threads: 1 });
const { objective, feeds } = await smallClassifier(runtime);
const exact = await exactGradient(objective);
const { gradients: truth } = await exact.estimate(feeds, [0, 0]);
const flat = (arrays: Readonly<Record<string, Float32Array>>) =>
  Object.keys(objective.parameters).flatMap((name) => [...(arrays[name] ?? [])]);
const gradient = flat(truth);
afterAll(() => exact.release());

describe("granules", () => {
  it("hold every tangent once, the last ones fewer", () => {
    expect(granulesOf(7, 3)).toEqual([
      { first: 0, count: 3 },
      { first: 3, count: 3 },
      { first: 6, count: 1 },
    ]);
  });

  it("have the same derivatives, bit for bit, in whatever order and wherever they are computed", async () => {
    const key = keyFromSeed(4);
    const [one, other] = [
      await openGranulePass(objective, rademacher(), 2),
      await openGranulePass(objective, rademacher(), 2),
    ];
    const granules = granulesOf(8, 2);
    const forwards = [];
    for (const granule of granules) forwards.push((await one.measure(feeds, key, granule)).derivatives);
    const backwards = [];
    for (const granule of granules.toReversed())
      backwards.push((await other.measure(feeds, key, granule)).derivatives);
    expect(forwards).toEqual(backwards.toReversed());
    await Promise.all([one.release(), other.release()]);
  });

  for (const [sampler, aggregate] of [
    [rademacher(), projection()],
    [gaussian(), mean()],
    [lowRank(), projection()],
  ] as const)
    it(`give the estimate of weight perturbation: ${sampler.name}, ${aggregate.name}`, async () => {
      const settings = { tangents: 6, sampler, aggregate, perturb: "weights" } as const;
      const whole = await createEstimator(objective, settings);
      const parts = await createEstimator(objective, { ...settings, gradient: inGranules({ size: 4 }) });
      const [a, b] = [await whole.estimate(feeds, [5, 6]), await parts.estimate(feeds, [5, 6])];
      expect(b.loss).toBeCloseTo(a.loss, 6);
      const [left, right] = [flat(a.gradients), flat(b.gradients)];
      const scale = Math.max(...left.map(Math.abs));
      for (const [index, value] of left.entries())
        expect(Math.abs(value - (right[index] ?? 0)) / scale).toBeLessThan(2e-5);
      expect(parts.gain).toBe(whole.gain);
      await Promise.all([whole.release(), parts.release()]);
    });

  for (const aggregate of [projection(), mean()])
    it(`keep the mean and the gain where some are missing: ${aggregate.name}`, async () => {
      const estimator = await createEstimator(objective, {
        ...{ tangents: 8, sampler: gaussian(), aggregate, perturb: "weights" },
        gradient: inGranules({ size: 2, source: losing() }),
      });
      const draws = 4000;
      const square = gradient.reduce((sum, value) => sum + value ** 2, 0);
      // How many times ∇f an estimate is along ∇f.
      let [sum, squares] = [0, 0];
      for (let draw = 0; draw < draws; draw++) {
        const { gradients } = await estimator.estimate(feeds, keyFromSeed(draw));
        const along =
          flat(gradients).reduce((total, value, index) => total + value * (gradient[index] ?? 0), 0) / square;
        sum += along;
        squares += along ** 2;
      }
      const mean = sum / draws;
      const error = Math.sqrt((squares / draws - mean ** 2) / draws);
      expect(Math.abs(mean - (estimator.gain ?? 1))).toBeLessThan(4 * error);
      expect(error / mean).toBeLessThan(0.03);
      await estimator.release();
    });

  it("refuse by name what they cannot carry", async () => {
    const settings = { tangents: 4, perturb: "weights" } as const;
    await expect(
      createEstimator(objective, { ...settings, sampler: "orthonormal", gradient: inGranules() }),
    ).rejects.toThrow(/sampler 'orthonormal' depend on each other/);
    await expect(
      createEstimator(objective, { ...settings, lowMemory: true, gradient: inGranules() }),
    ).rejects.toThrow(/lowMemory: true is not there for tangents in granules/);
    expect(() => inGranules({ size: 0 })).toThrow("granule: 0 must be a whole number of tangents from 1");
  });
});
