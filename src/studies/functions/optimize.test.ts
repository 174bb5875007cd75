import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { derivativeGraph } from "../../ad/derivatives.ts";
import { aggregators } from "../../aggregate/aggregators.ts";
import { functionGraph } from "../../functions/function-graph.ts";
import { type FunctionName, functions } from "../../functions/functions.ts";
import type { TestFunction } from "../../functions/test-function.ts";
import { initializersToInputs } from "../../onnx/graph.ts";
import { float64, toNumbers } from "../../onnx/tensor.ts";
import { fillNormal } from "../../random/normal.ts";
import { fold, keyFromSeed } from "../../random/threefry.ts";
import { compileGraph } from "../../runtime/evaluate.ts";
import { nodeRuntime } from "../../runtime/node.ts";
import { type DescentOptions, type GradientMethod, optimizeFunction, startDescent } from "./optimize.ts";
import { functionLearningRate } from "./reference.ts";

const exact: GradientMethod = { gradient: "exact", k: 0 };

describe("the exact gradient", () => {
  it("shrinks the sphere by (1 − 2η)² a step", () => {
    const descent = optimizeFunction({
      fn: functions.sphere,
      n: 5,
      method: exact,
      learningRate: 0.2,
      steps: 7,
      seed: 0,
    });
    expect(descent.value).toBeCloseTo(5 * 0.6 ** 14, 14);
    expect([descent.steps, descent.ending, descent.best]).toEqual([7, "steps", descent.value]);
  });

  it("is what projection gives when n tangents or more span the space", () => {
    for (const [n, k] of [
      [2, 4],
      [4, 4],
      [3, 16],
    ] as const) {
      const options = { fn: functions["styblinski-tang"], n, learningRate: 0.01, steps: 30, seed: 3 };
      const projected = optimizeFunction({ ...options, method: { gradient: "projection", k } });
      const straight = optimizeFunction({ ...options, method: exact });
      for (let j = 0; j < n; j++) expect(projected.x[j]).toBeCloseTo(straight.x[j] as number, 8);
    }
  });
});

describe("estimates", () => {
  /** The same descent by the function's graph on the engine, and the definitions of d, G, c and ĝ. */
  async function descendByGraph({ fn, n, method, learningRate, steps, seed }: DescentOptions) {
    const { gradient, k } = method;
    const graph = initializersToInputs(functionGraph(fn, n), ["x"]);
    const session = await compileGraph(
      nodeRuntime({ threads: 1 }),
      derivativeGraph(graph, new Map([["x", "stacked"]]), k, "loss"),
    );
    const aggregator = aggregators[gradient as "mean"]();
    const key = fold(fold(keyFromSeed(seed), n), k);
    let x = [...fn.start(n)];
    for (let step = 0; step < steps; step++) {
      const rows = new Float32Array(k * n);
      fillNormal(key, step * k * n, rows);
      const v = Array.from({ length: k }, (_, i) => [...rows.subarray(i * n, (i + 1) * n)]);
      const feeds = { x: float64(x), "tangent/x": float64(Float64Array.from(rows), [k, n]) };
      const d = toNumbers((await session.run(feeds)).derivatives ?? float64([]));
      const dot = (a: number[], b: number[]) =>
        a.reduce((sum, value, j) => sum + value * (b[j] as number), 0);
      const gram = Float64Array.from(v.flatMap((a) => v.map((b) => dot(a, b))));
      const c = new Float64Array(k);
      aggregator.aggregate(Float64Array.from(d), gram, c, { dimension: n });
      x = x.map(
        (value, j) =>
          value - learningRate * v.reduce((sum, row, i) => sum + (c[i] as number) * (row[j] as number), 0),
      );
    }
    await session.release();
    return x;
  }

  it.each([
    ["styblinski-tang", 64, "projection", 16, 0.004],
    ["styblinski-tang", 7, "mean", 3, 0.002],
    ["rosenbrock", 9, "projection", 5, 0.001],
    ["rosenbrock", 3, "sum", 2, 0.0002],
    ["sphere", 33, "max-normalized", 6, 0.1],
  ] as const)(
    "%s, n = %d, %s of %d: the path that ONNX Runtime takes",
    async (name, n, gradient, k, learningRate) => {
      const options = { fn: functions[name], n, method: { gradient, k }, learningRate, steps: 40, seed: 5 };
      const descent = optimizeFunction(options);
      const x = await descendByGraph(options);
      for (let j = 0; j < n; j++)
        expect(Math.abs((descent.x[j] as number) - (x[j] as number))).toBeLessThan(1e-10);
    },
  );

  it("shrink the sphere as the Beta distribution says", () => {
    // With η = ½ a step removes what lies in the span of k tangents: E[log(1 − cos²)] = −Σ 1/m, m from (n−k)/2 to n/2 − 1.
    const [n, k, steps, seeds] = [32, 4, 100, 40];
    let expected = 0;
    for (let m = (n - k) / 2; m < n / 2; m++) expected -= steps / m;
    const logs = Array.from({ length: seeds }, (_, seed) => {
      const options = { fn: functions.sphere, n, learningRate: 0.5, steps, seed };
      return Math.log(optimizeFunction({ ...options, method: { gradient: "projection", k } }).value / n);
    });
    const mean = logs.reduce((sum, value) => sum + value, 0) / seeds;
    const deviation = Math.sqrt(logs.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (seeds - 1));
    expect(Math.abs(mean - expected)).toBeLessThan((4 * deviation) / Math.sqrt(seeds));
    expect(deviation).toBeGreaterThan(0);
  });

  it("draw other tangents for other seeds, and the same for the same", () => {
    const options = { fn: functions.sphere, n: 4, learningRate: 0.05, steps: 10 };
    const [a, b, c] = [1, 2, 1].map((seed) =>
      optimizeFunction({ ...options, method: { gradient: "mean", k: 2 }, seed }),
    );
    expect(a?.x).not.toEqual(b?.x);
    expect(a?.x).toEqual(c?.x);
  });

  it("move along one direction alone where all tangents lie at a small angle to it", () => {
    const at = (angle: number) => {
      const options = {
        fn: functions.plane,
        n: 8,
        learningRate: 1,
        steps: 1,
        seed: 0,
        start: new Float64Array(8),
      };
      const { x } = optimizeFunction({ ...options, method: { gradient: "mean", k: 6, angle } });
      return Math.hypot(...x);
    };
    // Tangents have length 1 and ∇f has √8: the mean of six nearly equal ones is at most as long as ∇f.
    expect(at(1)).toBeLessThan(Math.sqrt(8));
    expect(at(1)).not.toBeCloseTo(at(80), 3);
  });

  it("refuses no tangents", () => {
    expect(() =>
      startDescent({
        fn: functions.sphere,
        n: 2,
        method: { gradient: "mean", k: 0 },
        learningRate: 1,
        steps: 1,
        seed: 0,
      }),
    ).toThrow("An estimate by 'mean' needs k ≥ 1 tangents, received k = 0.");
  });
});

describe("the end", () => {
  const scripted = (values: readonly number[]): TestFunction => {
    let call = 0;
    return { ...functions.sphere, evaluate: () => values[Math.min(call++, values.length - 1)] as number };
  };
  const run = (values: readonly number[], options: Partial<DescentOptions> = {}) =>
    optimizeFunction({
      fn: scripted(values),
      n: 1,
      method: exact,
      learningRate: 0.1,
      steps: 20,
      patience: 3,
      seed: 0,
      ...options,
    });

  it("comes after so many steps in a row without a lower value", () => {
    expect(run([5, 4, 4, 4, 3, 3, 3, 3, 0]).ending).toBe("patience");
    expect(run([5, 4, 4, 4, 3, 3, 3, 3, 0])).toMatchObject({ steps: 7, best: 3, value: 3 });
    // Lower than the step before is enough, as in the paper's code, even if a lower value was seen before.
    expect(run([1, 9, 8, 9, 8, 9, 8, 9, 8, 9, 8, 7], { steps: 11 })).toMatchObject({
      steps: 11,
      best: 1,
      value: 7,
      ending: "steps",
    });
    expect(run([5, 5], { patience: 0 })).toMatchObject({ steps: 20, ending: "steps" });
  });

  it("comes at values that are no numbers, and keeps the best", () => {
    expect(run([5, 4, Number.NaN])).toMatchObject({ steps: 2, best: 4, ending: "diverged" });
    expect(run([5, Number.POSITIVE_INFINITY])).toMatchObject({ steps: 1, best: 5, ending: "diverged" });
  });

  it("comes at derivatives that are no numbers, without a step", () => {
    const steep: TestFunction = {
      ...functions.sphere,
      evaluate: (_, gradient) => (gradient?.fill(Number.POSITIVE_INFINITY) ? 1 : 1),
    };
    const options = { fn: steep, n: 4, learningRate: 1, steps: 5, seed: 0 };
    expect(optimizeFunction({ ...options, method: { gradient: "projection", k: 2 } })).toMatchObject({
      steps: 0,
      ending: "diverged",
      best: 1,
    });
  });

  it("can be reached in portions", () => {
    const options = {
      fn: functions.rosenbrock,
      n: 4,
      method: { gradient: "projection", k: 2 },
      learningRate: 1e-3,
      steps: 500,
      seed: 2,
    } as const;
    const portions = startDescent(options);
    while (portions.advance(7));
    const whole = optimizeFunction(options);
    expect(portions.x).toEqual(whole.x);
    expect([portions.steps, portions.ending, portions.best]).toEqual([whole.steps, whole.ending, whole.best]);
  });

  it("never is an exception, whatever the function, the learning rate and the method", () => {
    const methods: GradientMethod[] = [
      exact,
      ...[1, 2, 4, 16].map((k) => ({ gradient: "mean", k }) as const),
      ...[2, 4, 16].map((k) => ({ gradient: "projection", k }) as const),
    ];
    const rates = fc.double({ min: 1e-6, max: 1e6, noNaN: true });
    fc.assert(
      fc.property(
        fc.constantFrom(...(Object.keys(functions) as FunctionName[])),
        fc.constantFrom(...methods),
        rates,
        (name, method, learningRate) => {
          const descent = optimizeFunction({
            fn: functions[name],
            n: 2,
            method,
            learningRate,
            steps: 60,
            seed: 1,
          });
          expect(descent.best).toBeLessThanOrEqual(functions[name].evaluate(functions[name].start(2)));
          expect(["steps", "patience", "diverged"]).toContain(descent.ending);
        },
      ),
      { seed: 1, numRuns: 300 },
    );
    for (const n of [2, 8, 32]) {
      for (const method of methods) {
        const learningRate = functionLearningRate("rosenbrock", n, method);
        const descent = optimizeFunction({
          fn: functions.rosenbrock,
          n,
          method,
          learningRate,
          steps: 1000,
          seed: 0,
        });
        expect(descent.best).toBeLessThan(functions.rosenbrock.evaluate(functions.rosenbrock.start(n)));
      }
    }
  });
});
