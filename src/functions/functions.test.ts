import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readGolden } from "../../test/golden.ts";
import { relativeError } from "../../test/relative-error.ts";
import { checkDerivatives } from "../ad/check.ts";
import { derivativeGraph } from "../ad/derivatives.ts";
import { float64, toNumbers } from "../onnx/tensor.ts";
import { evaluate } from "../runtime/evaluate.ts";
import { nodeRuntime } from "../runtime/node.ts";
import { functionGraph } from "./function-graph.ts";
import { type FunctionName, functions } from "./functions.ts";
import { requireDimension } from "./test-function.ts";

interface Golden {
  readonly name: FunctionName;
  readonly x: number[];
  readonly value: number;
  readonly gradient: number[];
}

const goldens = readGolden<Golden[]>("functions.golden.json");
const runtime = nodeRuntime({ threads: 1 });
const names = Object.keys(functions) as FunctionName[];

describe.each(names)("%s", (name) => {
  const fn = functions[name];
  const { least, most } = fn.dimensions;
  const sizes = [least, 2, 5].filter((n) => n >= least && n <= most);

  it("has its name in the list, and PyTorch's values to hold it to", () => {
    expect(fn.name).toBe(name);
    expect(goldens.filter((golden) => golden.name === name).length).toBeGreaterThanOrEqual(4);
  });

  it.each(goldens.filter((golden) => golden.name === name))(
    "agrees with PyTorch at $x",
    ({ x, value, gradient }) => {
      const written = new Float64Array(x.length).fill(Number.NaN);
      expect(Math.abs(fn.evaluate(Float64Array.from(x), written) - value)).toBeLessThan(
        1e-13 * (1 + Math.abs(value)),
      );
      expect(relativeError(written, gradient)).toBeLessThan(1e-12);
      expect(fn.evaluate(Float64Array.from(x))).toBe(fn.evaluate(Float64Array.from(x), written));
    },
  );

  it("is one function as a formula and as a graph, and so are its derivatives along tangents", async () => {
    for (const { x, gradient } of goldens.filter((golden) => golden.name === name)) {
      const graph = functionGraph(fn, x.length, Float64Array.from(x));
      const tangents = float64(
        Float64Array.from({ length: 3 * x.length }, (_, i) => Math.sin(1 + i)),
        [3, x.length],
      );
      const forward = derivativeGraph(graph, new Map([["x", "stacked"]]), 3, "loss");
      const { loss, derivatives } = await evaluate(runtime, forward, { "tangent/x": tangents });
      const value = fn.evaluate(Float64Array.from(x));
      expect(Math.abs(Number(loss?.data[0]) - value)).toBeLessThan(1e-12 * (1 + Math.abs(value)));
      const expected = [0, 1, 2].map((i) =>
        gradient.reduce((sum, slope, j) => sum + slope * Number(tangents.data[i * x.length + j]), 0),
      );
      expect(relativeError(toNumbers(derivatives ?? tangents), expected)).toBeLessThan(1e-11);
    }
  });

  it("has rules in its graph that pass the derivative checker", async () => {
    for (const n of sizes) {
      const graph = functionGraph(
        fn,
        n,
        Float64Array.from({ length: n }, (_, j) => 0.7 - 0.4 * j),
      );
      const report = await checkDerivatives(graph, {
        evaluate: (inner, feeds) => evaluate(runtime, inner, feeds),
        feeds: {},
        wrt: ["x"],
      });
      expect(report.forwardError).toBeLessThan(1e-6);
      expect(report.transposeError).toBeLessThan(1e-10);
    }
  });

  it("has its minimum where it says, flat, and nothing smaller anywhere", () => {
    for (const n of sizes) {
      const minimum = fn.minimum(n);
      if (!minimum) {
        expect(name).toBe("plane");
        continue;
      }
      const gradient = new Float64Array(n);
      const size = 1 + Math.abs(minimum.value);
      expect(Math.abs(fn.evaluate(minimum.at, gradient) - minimum.value)).toBeLessThan(1e-14 * size);
      expect(Math.max(...gradient.map(Math.abs))).toBeLessThan(1e-13 * size);
      const coordinate = fc.double({ min: -10, max: 10, noNaN: true });
      fc.assert(
        fc.property(fc.array(coordinate, { minLength: n, maxLength: n }), (x) => {
          expect(fn.evaluate(Float64Array.from(x))).toBeGreaterThanOrEqual(minimum.value - 1e-13 * size);
        }),
        { seed: 1, numRuns: 500 },
      );
    }
  });

  it("starts in its domain, away from the minimum, in the view and in all dimensions", () => {
    for (const n of sizes) {
      const start = fn.start(n);
      expect(start).toHaveLength(n);
      expect(fn.evaluate(start)).toBeGreaterThan(fn.minimum(n)?.value ?? Number.NEGATIVE_INFINITY);
    }
    const [x, y] = fn.view.start;
    expect(x).toBeGreaterThanOrEqual(fn.view.x[0]);
    expect(x).toBeLessThanOrEqual(fn.view.x[1]);
    expect(y).toBeGreaterThanOrEqual(fn.view.y[0]);
    expect(y).toBeLessThanOrEqual(fn.view.y[1]);
  });
});

it("refuses dimensions that a function does not have, and points of another length", () => {
  expect(() => functionGraph(functions.rosenbrock, 1)).toThrow(
    "The function 'rosenbrock' takes 2 or more coordinates, received n = 1; choose n ≥ 2.",
  );
  expect(() => requireDimension(functions.beale, 3)).toThrow(
    "The function 'beale' takes exactly 2 coordinates, received n = 3; choose n = 2.",
  );
  expect(() => functionGraph(functions.sphere, 3, new Float64Array(2))).toThrow(
    "needs x of shape [3], received [2]",
  );
});
