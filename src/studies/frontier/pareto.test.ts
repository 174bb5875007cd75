import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { paretoFrontier } from "./pareto.ts";

describe("paretoFrontier", () => {
  it("keeps what nothing beats, by ascending cost", () => {
    const [cheap, dearer, worse, best, late, tie] = [
      { cost: 1, value: 0.2 },
      { cost: 3, value: 0.5 },
      { cost: 4, value: 0.4 },
      { cost: 8, value: 0.9 },
      { cost: 9, value: 0.9 },
      { cost: 3, value: 0.3 },
    ] as const;
    expect(paretoFrontier([late, worse, tie, best, cheap, dearer])).toEqual([cheap, dearer, best]);
    expect(paretoFrontier([])).toEqual([]);
  });

  it("leaves exactly those out that another beats", () => {
    const point = fc.record({ cost: fc.integer({ min: 1, max: 9 }), value: fc.integer({ min: 1, max: 9 }) });
    fc.assert(
      fc.property(fc.array(point), (given) => {
        const frontier = paretoFrontier(given);
        const beats = (a: (typeof given)[number], b: (typeof given)[number]) =>
          a.cost <= b.cost && a.value >= b.value && (a.cost < b.cost || a.value > b.value);
        const expected = given.filter((one) => !given.some((other) => beats(other, one)));
        const distinct = [...new Set(expected.map(({ cost, value }) => `${cost}/${value}`))];
        expect(frontier.map(({ cost, value }) => `${cost}/${value}`).sort()).toEqual(distinct.sort());
        expect([...frontier].sort((a, b) => a.cost - b.cost)).toEqual(frontier);
      }),
    );
  });
});
