import { expect, it } from "vitest";
import { max } from "../src/aggregate/max.ts";
import { maxNormalized } from "../src/aggregate/max-normalized.ts";
import { meanTimesDimension } from "../src/aggregate/mean-times-dimension.ts";
import { nearBest } from "../src/aggregate/near-best.ts";

// d = ∇f·v for tangents of the lengths 1, 2, 4, 1.
const derivatives = Float64Array.of(3, -5, 6, 0);
const gram = new Float64Array(16);
[1, 4, 16, 1].forEach((square, i) => {
  gram[5 * i] = square;
});
const coefficients = new Float64Array(4);

it("max: the largest |d|", () => {
  max().aggregate(derivatives, undefined, coefficients);
  expect([...coefficients]).toEqual([0, 0, 6, 0]);
  max().aggregate(Float64Array.of(2, -2), undefined, coefficients.subarray(0, 2));
  expect([...coefficients.subarray(0, 2)]).toEqual([2, 0]);
});

it("max-normalized: the largest |d|/‖v‖, projected on its tangent", () => {
  // Slopes 3, 2.5, 1.5, 0.
  maxNormalized().aggregate(derivatives, gram, coefficients);
  expect([...coefficients]).toEqual([3, 0, 0, 0]);
  const second = Float64Array.of(2, -5, 6, 0);
  maxNormalized().aggregate(second, gram, coefficients);
  expect([...coefficients]).toEqual([0, -1.25, 0, 0]);
  expect(() => maxNormalized().aggregate(second, undefined, coefficients)).toThrow("received no Gram matrix");
});

it("near-best: the mean of those within a part of the largest |d|", () => {
  nearBest().aggregate(derivatives, undefined, coefficients);
  expect([...coefficients]).toEqual([0, -2.5, 3, 0]);
  nearBest({ within: 0.5 }).aggregate(derivatives, undefined, coefficients);
  expect([...coefficients]).toEqual([1, -5 / 3, 2, 0]);
  nearBest({ within: 0 }).aggregate(derivatives, undefined, coefficients);
  expect([...coefficients]).toEqual([0, 0, 6, 0]);
  nearBest({ within: 1 }).aggregate(derivatives, undefined, coefficients);
  expect([...coefficients]).toEqual([0.75, -1.25, 1.5, 0]);
  expect(() => nearBest({ within: 1.5 })).toThrow("from 0 to 1, received 1.5");
});

it("mean-times-dimension: c = n d / k", () => {
  meanTimesDimension().aggregate(derivatives, undefined, coefficients, { dimension: 100 });
  expect([...coefficients]).toEqual([75, -125, 150, 0]);
  expect(() => meanTimesDimension().aggregate(derivatives, undefined, coefficients)).toThrow(
    "needs the dimension n",
  );
});
