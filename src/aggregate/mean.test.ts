import { expect, it } from "vitest";
import { mean } from "./mean.ts";

it("mean: c = d / k", () => {
  const coefficients = new Float64Array(4);
  mean().aggregate(Float64Array.of(4, -8, 0, 2), undefined, coefficients);
  expect([...coefficients]).toEqual([1, -2, 0, 0.5]);
});
