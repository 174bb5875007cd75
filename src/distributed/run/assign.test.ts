import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { assign } from "./assign.ts";

describe("granules", () => {
  it("go to whoever is done with them first", () => {
    const able = [
      { participant: "slow", seconds: 3 },
      { participant: "fast", seconds: 1 },
    ];
    expect(Object.fromEntries(assign([0, 1, 2, 3], able))).toEqual({ fast: [0, 1, 3], slow: [2] });
    expect(Object.fromEntries(assign([0], able))).toEqual({ fast: [0] });
  });

  it("try whoever was never measured, and need somebody", () => {
    const able = [
      { participant: "new", seconds: undefined },
      { participant: "known", seconds: 2 },
    ];
    expect([...assign([5], able).keys()]).toEqual(["new"]);
    expect(assign([1, 2], []).size).toBe(0);
  });

  it("are each given once", () => {
    const seconds = fc.option(fc.double({ min: 1e-6, max: 1e6, noNaN: true }), { nil: undefined });
    fc.assert(
      fc.property(fc.nat({ max: 40 }), fc.array(seconds, { minLength: 1, maxLength: 9 }), (count, speeds) => {
        const granules = Array.from({ length: count }, (_, index) => index);
        const shares = assign(
          granules,
          speeds.map((each, index) => ({ participant: `${index}`, seconds: each })),
        );
        expect([...shares.values()].flat().sort((a, b) => a - b)).toEqual(granules);
      }),
    );
  });
});
