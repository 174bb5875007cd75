import { type TestFunction, total } from "./test-function.ts";

/** f(x) = Σ xⱼ²: convex, and equally steep in all directions. */
export const sphere: TestFunction = {
  name: "sphere",
  title: "Sphere",
  formula: "f(x) = Σ xⱼ²",
  source: "Rechenberg, Evolutionsstrategie (1973); start of Flügel et al. (arXiv 2410.17764)",
  dimensions: { least: 1, most: Number.POSITIVE_INFINITY },
  start: (n) => new Float64Array(n).fill(-1),
  minimum: (n) => ({ at: new Float64Array(n), value: 0 }),
  // ∂f/∂xⱼ = 2 xⱼ
  evaluate(x, gradient) {
    let sum = 0;
    for (let j = 0; j < x.length; j++) {
      const value = x[j] as number;
      sum += value * value;
      if (gradient) gradient[j] = 2 * value;
    }
    return sum;
  },
  build: (g, x) => total(g, g.mul(x, x)),
  view: {
    x: [-2, 2],
    y: [-2, 2],
    start: [-1.5, -1],
    steps: 1000,
    learningRates: { exact: 0.1, estimate: 0.1 },
  },
};
