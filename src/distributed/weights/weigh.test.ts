import { describe, expect, it } from "vitest";
import { weigh } from "./weigh.ts";

const granules = [
  { first: 0, count: 2 },
  { first: 2, count: 1 },
];
const part = (weight: number, loss: number, ...derivatives: number[]) => ({
  ...{ weight, loss },
  derivatives: Float64Array.from(derivatives),
});

describe("derivatives of parts", () => {
  it("are weighed by how many losses count: Σ n_j d_j / Σ n", () => {
    const step = weigh(granules, [part(3, 1, 1, 2), part(3, 1, 5), part(1, 5, 5, -2), part(1, 5, 1)]);
    expect(step).toEqual({ loss: 2, derivatives: Float64Array.of(2, 1, 4), counted: [true, true] });
  });

  it("are those of one part, bit for bit, where there is one", () => {
    const step = weigh(granules, [part(3, 0.1, 0.1, 0.7), part(3, 0.1, 1 / 3)]);
    expect(step.derivatives).toEqual(Float64Array.of(0.1, 0.7, 1 / 3));
  });

  it("do not count where a part is missing, and are 0 where no loss counts", () => {
    const step = weigh(granules, [part(3, 1, 1, 2), part(3, 1, 5), undefined, part(1, 5, 1)]);
    expect(step).toEqual({ loss: 2, derivatives: Float64Array.of(0, 0, 4), counted: [false, true] });
    const none = weigh(granules, [part(0, 0, 0, 0), part(0, 0, 0), part(0, 0, 0, 0), part(0, 0, 0)]);
    expect(none).toEqual({ loss: 0, derivatives: new Float64Array(3), counted: [true, true] });
  });
});
