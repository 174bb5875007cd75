import { describe, expect, it } from "vitest";
import golden from "./log-gamma.golden.json" with { type: "json" };
import { logGamma, logGammaHalfStep } from "./log-gamma.ts";

type Row = [x: number, expected: number];

describe("logGamma", () => {
  it.each(golden.logGamma as Row[])("at %d agrees with mpmath to a relative 1e-14", (x, expected) => {
    expect(Math.abs(logGamma(x) - expected)).toBeLessThanOrEqual(1e-14 * Math.abs(expected));
  });

  it("satisfies ln Γ(x + 1) = ln Γ(x) + ln x across every seam between its ranges", () => {
    for (let x = 0.05; x < 15; x += 0.0371) {
      const expected = logGamma(x) + Math.log(x);
      expect(Math.abs(logGamma(x + 1) - expected)).toBeLessThan(1e-14 * Math.max(1, Math.abs(expected)));
    }
  });

  it.each([0, -1, -0.5, Number.NaN, Number.POSITIVE_INFINITY])("refuses %d", (x) => {
    expect(() => logGamma(x)).toThrow(`logGamma needs a positive finite number, received ${x}.`);
  });
});

describe("logGammaHalfStep", () => {
  it.each(golden.logGammaHalfStep as Row[])("at %d agrees with mpmath to 1e-14", (x, expected) => {
    const bound = 1e-14 * Math.max(1, Math.abs(expected));
    expect(Math.abs(logGammaHalfStep(x) - expected)).toBeLessThanOrEqual(bound);
  });

  it("refuses what has no logarithm of Γ", () => {
    expect(() => logGammaHalfStep(0)).toThrow("logGammaHalfStep needs a positive finite number, received 0.");
  });
});
