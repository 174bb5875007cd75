/** Tangents of slices: what they are, that their estimate is that of tangents of all parameters, and how wrong it is. */
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import type { Aggregator } from "../src/aggregate/aggregator.ts";
import { mean } from "../src/aggregate/mean.ts";
import { projection } from "../src/aggregate/projection.ts";
import { sum } from "../src/aggregate/sum.ts";
import { openSliceGrams } from "../src/distributed/weights/gram.ts";
import { openGranulePass } from "../src/distributed/weights/granule.ts";
import { inGranules } from "../src/distributed/weights/granules.ts";
import { granulesOf, sliceOf, slicesOf } from "../src/distributed/weights/slices.ts";
import { openUpdate } from "../src/distributed/weights/update.ts";
import { exactGradient } from "../src/estimate/exact.ts";
import { methodIn } from "../src/estimate/passes.ts";
import { fold, keyFromSeed } from "../src/random/threefry.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import { gaussian } from "../src/tangents/gaussian.ts";
import { lowRank } from "../src/tangents/low-rank.ts";
import { rademacher } from "../src/tangents/rademacher.ts";
import type { Sampler } from "../src/tangents/sampler.ts";
import { sphere } from "../src/tangents/sphere.ts";
import { createEstimator } from "../src/train/settings/estimator.ts";
import { losing } from "./losing-granules.ts";
import { smallClassifier } from "./small-classifier.ts";

const runtime = nodeRuntime({ threads: 1 });
const { objective, feeds } = await smallClassifier(runtime);
const exact = await exactGradient(objective);
const flat = (arrays: Readonly<Record<string, Float32Array>>) =>
  Object.keys(objective.parameters).flatMap((name) => [...(arrays[name] ?? [])]);
const gradient = flat((await exact.estimate(feeds, [0, 0])).gradients);
const n = gradient.length;
const square = (values: readonly number[]) => values.reduce((total, value) => total + value ** 2, 0);
const product = (a: readonly number[], b: readonly number[]) =>
  a.reduce((total, value, index) => total + value * (b[index] ?? 0), 0);
const shapes = Object.entries(objective.parameters).map(([name, { shape }]) => ({ name, shape }));
afterAll(() => exact.release());

describe("slices", () => {
  it("hold every number once, are as equal as rows allow, and keep rows whole where tangents are factors", () => {
    const shape = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 0, maxLength: 3 });
    fc.assert(
      fc.property(
        fc.array(shape, { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 1, max: 5 }),
        fc.boolean(),
        (given, count, isFactored) => {
          const parameters = given.map((each, index) => ({ name: `p${index}`, shape: each }));
          const sizes = parameters.map((each) => each.shape.reduce((total, size) => total * size, 1));
          const total = sizes.reduce((before, size) => before + size, 0);
          const rows = parameters.map(({ shape: [, ...rest] }, index) =>
            isFactored && (parameters[index]?.shape.length ?? 0) > 1
              ? rest.reduce((before, size) => before * size, 1)
              : 1,
          );
          const cut = () => slicesOf(parameters, count, isFactored ? { rank: 1 } : {});
          const widest = Math.max(...rows);
          if (total / count < 1 + widest) {
            // There may be too few: then it says so.
            try {
              cut();
            } catch (error) {
              expect(String(error)).toMatch(/sliced: true cuts the parameters into \d+ slices.*too few/);
              return;
            }
          }
          const seen = parameters.map((_, index) => new Uint8Array(sizes[index] ?? 0));
          for (const { size, parts } of cut()) {
            expect(Math.abs(size - total / count)).toBeLessThanOrEqual(1 + widest);
            expect(parts.reduce((before, { from, to }) => before + to - from, 0)).toBe(size);
            for (const { name, from, to, shape: own } of parts) {
              const index = Number(name.slice(1));
              expect(own.reduce((before, each) => before * each, 1)).toBe(to - from);
              expect(from % (rows[index] ?? 1)).toBe(0);
              for (let at = from; at < to; at++)
                (seen[index] as Uint8Array)[at] = 1 + (seen[index]?.[at] as number);
            }
          }
          expect(seen.every((each) => each.every((times) => times === 1))).toBe(true);
        },
      ),
    );
  });

  it("go round: each is another granule's at each step, and all are somebody's", () => {
    const slices = slicesOf(shapes, 4, {});
    const seen = new Set<string>();
    for (let step = 0; step < 200; step++) {
      const key = fold(keyFromSeed(3), step);
      const chosen = [0, 1, 2, 3].map((granule) => slices.indexOf(sliceOf(slices, key, granule)));
      expect([...chosen].sort()).toEqual([0, 1, 2, 3]);
      seen.add(chosen.join());
    }
    expect(seen.size).toBe(4);
  });
});

describe("tangents of slices", () => {
  for (const sampler of [rademacher(), gaussian(), sphere(), lowRank({ rank: 2 })])
    it(`are one thing to derivatives, Gram matrix and update: ${sampler.name}`, async () => {
      const granules = granulesOf(7, 2);
      const slices = slicesOf(shapes, granules.length, sampler);
      const sliced = { granules, slices };
      const update = openUpdate(shapes, sampler, runtime, sliced);
      const method = methodIn(n, { tangents: 7, sampler, aggregator: projection() });
      const grams = await openSliceGrams(objective, method, sliced);
      const pass = await openGranulePass(objective, sampler, 2, slices);
      for (const seed of [1, 2, 3]) {
        const key = keyFromSeed(seed);
        const tangents = Array.from({ length: 7 }, (_, index) =>
          flat(
            update.form(
              key,
              Float32Array.from({ length: 7 }, (_, at) => Number(at === index)),
            ),
          ),
        );
        const gram = await grams.of(key);
        for (const [i, v] of tangents.entries())
          for (const [j, w] of tangents.entries()) {
            expect(gram[i * 7 + j]).toBeCloseTo(product(v, w), 2);
            if (Math.floor(i / 2) !== Math.floor(j / 2)) expect(gram[i * 7 + j]).toBe(0);
          }
        for (const [index, granule] of granules.entries()) {
          const { derivatives, loss } = await pass.measure(feeds, key, granule);
          expect(loss).toBeGreaterThan(0);
          const { size } = sliceOf(slices, key, index);
          for (const [at, derivative] of derivatives.entries()) {
            const tangent = tangents[granule.first + at] as number[];
            const scale = Math.sqrt(square(gradient) * square(tangent));
            expect(Math.abs(derivative - product(tangent, gradient)) / scale).toBeLessThan(1e-5);
            expect(tangent.filter((value) => value !== 0).length).toBeLessThanOrEqual(size);
            if (sampler.name === "sphere") expect(square(tangent)).toBeCloseTo(size, 3);
          }
        }
      }
      await Promise.all([update, grams, pass].map((each) => each.release()));
    });

  for (const [sampler, aggregate, missing] of [
    [rademacher(), mean(), false],
    [gaussian(), projection(), true],
    [sphere({ unit: true }), sum(), true],
    [lowRank(), mean(), true],
  ] as const)
    it(`give the gradient in the mean${missing ? ", where some are missing, too" : ""}: ${sampler.name}, ${aggregate.name}`, async () => {
      const estimator = await createEstimator(objective, {
        ...{ tangents: 8, sampler, aggregate, perturb: "weights" },
        gradient: inGranules({ size: 2, sliced: true, ...(missing && { source: losing() }) }),
      });
      const draws = 1200;
      // Along ∇f, and along directions of every slice.
      const directions = [
        gradient,
        ...[0, 1, 2, 3].map((part) =>
          gradient.map((g, at) => (at % 4 === part || Math.floor((4 * at) / n) === part ? g : 0)),
        ),
      ];
      const sums = directions.map(() => [0, 0]);
      for (let draw = 0; draw < draws; draw++) {
        const estimate = flat((await estimator.estimate(feeds, fold(keyFromSeed(5), draw))).gradients);
        for (const [index, direction] of directions.entries()) {
          const along = product(estimate, direction) / square(direction);
          const own = sums[index] as number[];
          own[0] = (own[0] as number) + along;
          own[1] = (own[1] as number) + along ** 2;
        }
      }
      for (const [total = 0, squares = 0] of sums) {
        const average = total / draws;
        const error = Math.sqrt((squares / draws - average ** 2) / draws);
        expect(Math.abs(average - (estimator.gain ?? 1))).toBeLessThan(4 * error);
        expect(error / average).toBeLessThan(0.1);
      }
      await estimator.release();
    });

  it("are as wrong as tangents of all parameters: Σ (n_s − 1)/q ‖∇f_s‖² for signs and the mean, (n/k − 1) ‖∇f‖² for the projection", async () => {
    const [k, size, draws] = [8, 2, 800];
    const slices = slicesOf(shapes, k / size, {});
    let start = 0;
    const signs = slices.reduce((total, slice) => {
      const own = square(gradient.slice(start, start + slice.size));
      start += slice.size;
      return total + ((slice.size - 1) / size) * own;
    }, 0);
    const wrongs = async (sampler: Sampler, aggregate: Aggregator, sliced: boolean) => {
      const estimator = await createEstimator(objective, {
        ...{ tangents: k, sampler, aggregate, perturb: "weights" },
        gradient: inGranules({ size, sliced }),
      });
      let total = 0;
      for (let draw = 0; draw < draws; draw++) {
        const estimate = flat((await estimator.estimate(feeds, fold(keyFromSeed(5), draw))).gradients);
        total += square(estimate.map((value, at) => value / (estimator.gain ?? 1) - (gradient[at] ?? 0)));
      }
      await estimator.release();
      return total / draws / square(gradient);
    };
    const relative = (value: number) => value / square(gradient);
    const [cut, whole] = [
      await wrongs(rademacher(), mean(), true),
      await wrongs(rademacher(), mean(), false),
    ];
    expect(cut / relative(signs)).toBeCloseTo(1, 1);
    expect(whole / ((n - 1) / k)).toBeCloseTo(1, 1);
    expect(relative(signs)).toBeLessThan((n - 1) / k);
    for (const sliced of [true, false])
      expect((await wrongs(gaussian(), projection(), sliced)) / (n / k - 1)).toBeCloseTo(1, 1);
  });
});
