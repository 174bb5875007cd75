import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fingerprintOf, isSame } from "./fingerprint.ts";

describe("a fingerprint", () => {
  it("is that of the same bits, and of no others", () => {
    const numbers = fc.float32Array({ minLength: 1, maxLength: 50 });
    fc.assert(
      fc.property(numbers, numbers, fc.nat(), fc.nat({ max: 31 }), (a, b, at, bit) => {
        const whole = { a, b };
        expect(isSame(fingerprintOf(whole, 3), fingerprintOf({ a: a.slice(), b: b.slice() }, 3))).toBe(true);
        const changed = b.slice();
        const words = new Int32Array(changed.buffer);
        words[at % b.length] = (words[at % b.length] as number) ^ (1 << bit);
        expect(isSame(fingerprintOf(whole, 3), fingerprintOf({ a, b: changed }, 3))).toBe(false);
      }),
    );
  });

  it("reads all numbers of many, some at each step", () => {
    const a = new Float32Array(2 ** 20 + 2 ** 19);
    const b = new Float32Array(2 ** 19 + 7);
    const first = [0, 1, 2].map((step) => fingerprintOf({ a, b }, step));
    for (const [array, at] of [
      [a, 5],
      [a, 2 ** 20 + 1],
      [b, b.length - 1],
    ] as const) {
      array[at] = 1;
      const seen = [0, 1, 2].filter(
        (step) => !isSame(fingerprintOf({ a, b }, step), first[step] as [number, number]),
      );
      expect(seen.length).toBeGreaterThan(0);
      expect(seen.length).toBeLessThan(3);
      array[at] = 0;
    }
  });
});
