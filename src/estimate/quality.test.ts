/** Bias², variance and cosine: closed forms as oracles, and what standard errors promise. */
import { describe, expect, it } from "vitest";
import { smallClassifier } from "../../test/small-classifier.ts";
import { aggregators } from "../aggregate/aggregators.ts";
import { expectedProjectionCosine } from "../aggregate/expected-cosine.ts";
import { feedback } from "../guess/feedback.ts";
import { fillNormal } from "../random/normal.ts";
import { fold, keyFromSeed } from "../random/threefry.ts";
import { nodeRuntime } from "../runtime/node.ts";
import { samplers } from "../tangents/samplers.ts";
import type { Estimator } from "./estimator.ts";
import { activationsEstimator, weightsEstimator } from "./estimators.ts";
import { exactGradient } from "./exact.ts";
import { type Gradients, measureQuality, qualityOf } from "./quality.ts";

const key = keyFromSeed(5);

/** So many estimates ∇f + bias + noise, with noise of variance 1 in each of n numbers. */
function noisy(draws: number, n: number, bias: number, stream: number): Gradients[] {
  return Array.from({ length: draws }, (_, draw) => {
    const noise = new Float32Array(n);
    fillNormal(fold(fold(key, stream), draw), 0, noise);
    return { x: noise.map((value, index) => value + 1 + (index === 0 ? bias : 0)) };
  });
}

describe("qualityOf", () => {
  const target = { x: Float32Array.of(3, 0), y: Float32Array.of(4) };
  const times = (factor: number): Gradients => ({
    x: target.x.map((value) => value * factor),
    y: target.y.map((value) => value * factor),
  });

  it("takes a constant error for bias, and what differs for variance", () => {
    expect(qualityOf([times(1.5), times(1.5), times(1.5)], target)).toEqual({
      ...{ cosine: 1, cosineError: 0, normRatio: 1.5 },
      ...{ biasSquared: 0.25, biasSquaredError: 0, variance: 0, varianceError: 0 },
    });
    // ⟨½∇f, −½∇f⟩ and ½‖∇f‖²
    const { biasSquared, variance } = qualityOf([times(1.5), times(0.5)], target);
    expect([biasSquared, variance]).toEqual([-0.25, 0.5]);
  });

  it("brings estimates to their gain first", () => {
    const { biasSquared, variance, normRatio } = qualityOf([times(2), times(2)], target, 2);
    expect([biasSquared, variance, normRatio]).toEqual([0, 0, 2]);
  });

  it("says what the draws allow: the cosine of one, no standard errors of two", () => {
    expect(qualityOf([times(2)], target)).toEqual({ cosine: 1, normRatio: 2 });
    const two = qualityOf([times(2), times(1)], target);
    expect(two.biasSquaredError).toBeUndefined();
    expect(two.varianceError).toBeUndefined();
    expect(two.cosineError).toBe(0);
  });

  it("takes parameters that an estimate leaves out for 0", () => {
    // ‖(0, 0, 4)‖² of 25
    const { biasSquared } = qualityOf([{ x: target.x }, { x: target.x }], target);
    expect(biasSquared).toBeCloseTo(16 / 25, 12);
  });

  it("is 0 of a gradient that is zero", () => {
    const { biasSquared, variance, cosine } = qualityOf([times(1), times(2)], times(0));
    expect([biasSquared, variance, cosine]).toEqual([0, 0, 0]);
  });

  it.each([
    [0, 12],
    [3, 12],
    [0, 4],
  ])(
    "is without bias itself, and its standard errors cover and are not idle: bias %f, %i draws",
    (bias, draws) => {
      const n = 20;
      const exact = { x: new Float32Array(n).fill(1) };
      const trials = 400;
      const measured = Array.from({ length: trials }, (_, trial) =>
        qualityOf(noisy(draws, n, bias, 1 + trial), exact),
      );
      for (const [value, error, truth] of [
        ["biasSquared", "biasSquaredError", bias ** 2 / n],
        ["variance", "varianceError", 1],
      ] as const) {
        const mean = measured.reduce((sum, one) => sum + (one[value] ?? Number.NaN), 0) / trials;
        const square = measured.reduce((sum, one) => sum + ((one[value] ?? 0) - truth) ** 2, 0) / trials;
        const claimed = measured.reduce((sum, one) => sum + (one[error] ?? 0) ** 2, 0) / trials;
        // The mean of 400 trials is normal with this error.
        expect(Math.abs(mean - truth)).toBeLessThan(4 * Math.sqrt(square / trials));
        // The jackknife's variance is at least the true one on average, at most 2 (draws − 1)/(draws − 2) times; 400 trials
        // tell either to 20 %.
        expect(claimed / square).toBeGreaterThan(0.8);
        expect(claimed / square).toBeLessThan((1.2 * 2 * (draws - 1)) / (draws - 2));
      }
    },
  );

  it("refuses no draws, and a gain that is none", () => {
    expect(() => qualityOf([], target)).toThrow(/needs one draw or more, a whole number, received 0/);
    for (const gain of [0, -1, Number.NaN, Number.POSITIVE_INFINITY])
      expect(() => qualityOf([times(1)], target, gain)).toThrow(
        /gain, E ĝ = gain · ∇f, must be a number above 0/,
      );
  });
});

describe("measureQuality", () => {
  const runtime = nodeRuntime({ threads: 1 });
  const k = 5;

  const problem = () => smallClassifier(runtime);

  // n = 67 weights
  const n = 4 * 8 + 8 + 8 * 3 + 3;
  const { gaussian, rademacher, sphere } = samplers;
  const { mean, sum, projection } = aggregators;

  it.each([
    // ‖P∇f‖² is Beta(k/2, (n − k)/2) distributed, of mean k/n; over the gain's square, (k/n)²
    ["a projection", gaussian(), projection(), n / k - 1],
    ["a projection of the gradient's length", gaussian(), projection({ expectedLength: true }), n / k - 1],
    // E‖v‖²(v·∇f)² = (n + 2)‖∇f‖² of normal numbers, n‖∇f‖² where ‖v‖² = n
    ["a mean", gaussian(), mean(), (n + 1) / k],
    ["a sum", gaussian(), sum(), (n + 1) / k],
    ["a mean of signs", rademacher(), mean(), (n - 1) / k],
    ["a mean on the sphere", sphere(), mean(), (n - 1) / k],
    ["a mean on the unit sphere", sphere({ unit: true }), mean(), (n - 1) / k],
  ])("of %s of weights is the closed form", async (_, sampler, aggregator, expected) => {
    const { objective, feeds } = await problem();
    const estimator = await weightsEstimator(objective, { tangents: k, sampler, aggregator });
    expect(estimator.dimension).toBe(n);
    const quality = await measureQuality(objective, estimator, feeds, key, 250);
    const { biasSquared = 1, biasSquaredError = 0, variance = 0, varianceError = 0 } = quality;
    expect(Math.abs(biasSquared)).toBeLessThan(4 * biasSquaredError);
    // √(2 tr Σ²)/draws with tr Σ² = variance²/n, about, overstated by up to √2 (and a third for the draws' luck)
    expect(biasSquaredError).toBeLessThan((1.4 * 2 * expected) / Math.sqrt(n) / 250);
    expect(Math.abs(variance - expected)).toBeLessThan(4 * varianceError);
    expect(varianceError).toBeLessThan(0.06 * expected);
    if (aggregator.name === "projection") {
      const cosine = expectedProjectionCosine(n, k);
      expect(Math.abs(quality.cosine - cosine)).toBeLessThan(4 * (quality.cosineError ?? 0));
    }
    await estimator.release();
  });

  it.each([
    ["without a guess", 1, undefined],
    ["with all of the correction", 1, feedback()],
    ["with half of the correction", 0.5, feedback({ gamma: 0.5 })],
  ])("finds no bias of activations but what the correction leaves, %s", async (_, gamma, guess) => {
    const { objective, feeds } = await problem();
    const options = { tangents: k, sampler: gaussian(), aggregator: projection() };
    const estimator = await activationsEstimator(objective, { ...options, guess });
    const state = estimator.init?.();
    for (let step = 0; step < 5; step++) await estimator.estimate(feeds, fold(fold(key, 1), step), state);
    const before = structuredClone(state);
    const {
      biasSquared = 1,
      biasSquaredError = 0,
      variance = 0,
    } = await measureQuality(...([objective, estimator, feeds, key, 300, state] as const));
    expect(state).toEqual(before);
    expect(variance).toBeGreaterThan(1e-4);
    if (gamma === 1) expect(Math.abs(biasSquared)).toBeLessThan(4 * biasSquaredError);
    else expect(biasSquared).toBeGreaterThan(8 * biasSquaredError);
    await estimator.release();
  });

  it("finds no bias of a corrected guess where the tangents' length is in their mean", async () => {
    const { objective, feeds } = await problem();
    const options = { tangents: k, sampler: sphere({ unit: true }), aggregator: mean(), guess: feedback() };
    const estimator = await activationsEstimator(objective, options);
    // What nothing has been learned of is all left to the tangents.
    const quality = await measureQuality(objective, estimator, feeds, key, 300, estimator.init?.());
    const { biasSquared = 1, biasSquaredError = 0, variance = 0 } = quality;
    expect(variance).toBeGreaterThan(0.01);
    expect(Math.abs(biasSquared)).toBeLessThan(4 * biasSquaredError);
    expect(biasSquaredError).toBeLessThan(0.001);
    await estimator.release();
  });

  it("tells what cosines do not: an estimate that is wrong on average from one that is noisy", async () => {
    const { objective, feeds } = await problem();
    const options = { tangents: k, sampler: gaussian(), aggregator: projection() };
    const noisyOne = await weightsEstimator(objective, options);
    const exact = await exactGradient(objective);
    // Half of the exact gradient is missing, always the same half.
    const stale: Estimator = {
      ...exact,
      async estimate(given, at) {
        const estimate = await exact.estimate(given, at);
        for (const values of Object.values(estimate.gradients))
          for (let index = 0; index < values.length; index += 2) values[index] = 0;
        return estimate;
      },
    };
    const ofNoisy = await measureQuality(objective, noisyOne, feeds, key, 100);
    const ofStale = await measureQuality(objective, stale, feeds, key, 3);
    expect(ofStale.cosine).toBeGreaterThan(2 * ofNoisy.cosine);
    expect(ofStale.biasSquared).toBeGreaterThan(0.2);
    expect(ofStale.variance).toBeCloseTo(0, 9);
    expect(ofNoisy.biasSquared).toBeLessThan(4 * (ofNoisy.biasSquaredError ?? 0));
    expect(ofNoisy.variance).toBeGreaterThan(5);
    await Promise.all([noisyOne.release(), exact.release()]);
  });
});
