import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { keyFromSeed } from "../../random/threefry.ts";
import { combine } from "../../tangents/combine.ts";
import { gaussian } from "../../tangents/gaussian.ts";
import { lowRank } from "../../tangents/low-rank.ts";
import { rademacher } from "../../tangents/rademacher.ts";
import { sphere } from "../../tangents/sphere.ts";
import { createTangentSet, drawTangents } from "../../tangents/tangent-set.ts";
import { openUpdate } from "./update.ts";

const shapes = [
  { name: "a", shape: [7, 5] },
  { name: "bias", shape: [7] },
  // Longer than what is drawn at once.
  { name: "long", shape: [3, 11_003] },
];

describe("an update from a key and coefficients", () => {
  for (const sampler of [rademacher(), gaussian(), sphere(), lowRank({ rank: 2 })])
    it(`is V c of the tangents that the key gives: ${sampler.name}`, async () => {
      const update = openUpdate(shapes, sampler);
      fc.assert(
        fc.property(
          fc.nat(),
          fc.float32Array({
            minLength: 5,
            maxLength: 5,
            noNaN: true,
            noDefaultInfinity: true,
            min: -9,
            max: 9,
          }),
          (seed, coefficients) => {
            const key = keyFromSeed(seed);
            const set = createTangentSet(shapes, 5, sampler);
            drawTangents(set, key);
            const expected = combine(set, Float64Array.from(coefficients));
            const formed = update.form(key, coefficients);
            for (const [name, values] of expected) {
              const scale = Math.max(1e-6, ...values.map(Math.abs));
              const wrong = values.findIndex(
                (v, at) => Math.abs(v - (formed[name]?.[at] ?? Number.NaN)) > 1e-6 * scale,
              );
              expect(wrong).toBe(-1);
            }
          },
        ),
        { numRuns: 10 },
      );
      await update.release();
    });

  it("keeps its bits: signs, normal numbers and factors, whatever computes them", async () => {
    const sums: Record<string, string> = {};
    for (const sampler of [rademacher(), gaussian(), lowRank()]) {
      const update = openUpdate(shapes, sampler);
      const formed = update.form(keyFromSeed(3), Float32Array.of(0.1, -0.7, 3e-5));
      const bytes = await crypto.subtle.digest("SHA-256", Float32Array.from(formed.long ?? []));
      sums[sampler.name] = Array.from(new Uint8Array(bytes, 0, 4), (byte) =>
        byte.toString(16).padStart(2, "0"),
      ).join("");
      await update.release();
    }
    expect(sums).toMatchInlineSnapshot(`
      {
        "gaussian": "0f136748",
        "low-rank": "e98bb2b5",
        "rademacher": "3f08d489",
      }
    `);
  });

  it("shows a coefficient that is not a number", () => {
    const formed = openUpdate(shapes, rademacher()).form(keyFromSeed(1), Float32Array.of(1, Number.NaN));
    expect(formed.bias?.every(Number.isNaN)).toBe(true);
  });
});
