import fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";
import { adam } from "./adam.ts";
import { adamw } from "./adamw.ts";
import { inKernel } from "./in-kernel.ts";
import type { Arrays, Optimizer } from "./optimizer.ts";
import { sgd } from "./sgd.ts";

afterEach(() => vi.unstubAllGlobals());

const share = fc.double({ min: 0, max: 0.9999, noNaN: true });
const decay = fc.oneof(fc.constant(0), fc.double({ min: 0, max: 1, noNaN: true }));
const optimizers: fc.Arbitrary<Optimizer> = fc.oneof(
  fc
    .record({ momentum: share, nesterov: fc.boolean(), weightDecay: decay })
    .map((options) => sgd({ ...options, nesterov: options.nesterov && options.momentum > 0 })),
  fc.record({ beta1: share, beta2: share, weightDecay: decay }).map(adam),
  fc.record({ beta1: share, beta2: share, weightDecay: decay }).map(adamw),
);
// Zeros of both signs, numbers below the normal ones, infinities and NaN included.
const numbers = fc.float32Array({ minLength: 1, maxLength: 40 });

/** As long as `length`, the numbers again and again. */
const repeated = (few: Float32Array, length: number) =>
  Float32Array.from({ length }, (_, index) => few[(index * 7 + (index >> 5)) % few.length] as number);
/** Where two numbers are not the same one: NaN is NaN, and −0 is not 0. */
const differences = (a: Arrays, b: Arrays) =>
  Object.entries(a).flatMap(([name, data]) => {
    const index = data.findIndex((value, at) => !Object.is(value, b[name]?.[at]));
    return index < 0 ? [] : [{ name, index, a: data[index], b: b[name]?.[index] }];
  });
const copyOf = (arrays: Arrays) =>
  Object.fromEntries(Object.entries(arrays).map(([name, data]) => [name, data.slice()]));

describe("steps in the kernel", () => {
  it("are those of JavaScript to the last bit, whatever the numbers, for pieces of any length", () => {
    fc.assert(
      fc.property(
        optimizers,
        fc.constantFrom(1, 2, 3, 5, 1000, 4095, 4096, 4097, 9001),
        numbers,
        fc.array(numbers, { minLength: 1, maxLength: 4 }),
        fc.double({ min: 1e-6, max: 100, noNaN: true }),
        (optimizer, length, first, gradients, rate) => {
          const start = { long: repeated(first, length), short: first };
          const run = ({ init, update }: Optimizer) => {
            const parameters = copyOf(start);
            const state = copyOf(init(parameters));
            for (const gradient of gradients)
              update(
                parameters,
                { long: repeated(gradient, length), short: repeated(gradient, first.length) },
                state,
                rate,
              );
            return { parameters, state };
          };
          const fast = inKernel(optimizer);
          expect(fast.update).not.toBe(optimizer.update);
          const [ours, theirs] = [run(fast), run(optimizer)];
          expect(differences(ours.parameters, theirs.parameters)).toEqual([]);
          expect(differences(ours.state, theirs.state)).toEqual([]);
        },
      ),
      { numRuns: 300 },
    );
  });

  it("leave parameters without a gradient or without state alone", () => {
    for (const optimizer of [sgd({ momentum: 0.9 }), adam(), adamw()].map(inKernel)) {
      const parameters = { a: Float32Array.of(1), frozen: Float32Array.of(5) };
      const state = optimizer.init(parameters);
      optimizer.update(parameters, { a: Float32Array.of(1) }, state, 0.1);
      expect(parameters.frozen[0]).toBe(5);
      expect(parameters.a[0]).toBeLessThan(1);
    }
    expect(() => inKernel(adam()).update({}, {}, {}, 1)).toThrow("begin with the state that init() returns");
  });

  it("are JavaScript's where there is no WebAssembly, one without vectors, or the rule is the user's own", () => {
    const own: Optimizer = { name: "adam", config: {}, init: () => ({}), update: () => {} };
    expect(inKernel(own)).toBe(own);
    vi.stubGlobal("WebAssembly", undefined);
    const optimizer = adam();
    expect(inKernel(optimizer)).toBe(optimizer);
    const Module = class {
      constructor() {
        throw new TypeError("invalid opcode 0xfd");
      }
    };
    vi.stubGlobal("WebAssembly", { Module });
    expect(inKernel(optimizer)).toBe(optimizer);
  });
});
