import { expect, it } from "vitest";
import { sum } from "./sum.ts";

it("sum: c = d", () => {
  const coefficients = new Float64Array(3);
  sum().aggregate(Float64Array.of(4, -8, 0), undefined, coefficients);
  expect([...coefficients]).toEqual([4, -8, 0]);
});
