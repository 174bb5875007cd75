import { type TestFunction, total } from "./test-function.ts";

/** The least root of the derivative, 4x³ − 32x + 5 = 0. */
const root = -2.903534027771177;

/** f(x) = ½ Σ xⱼ⁴ − 16xⱼ² + 5xⱼ: two valleys in every coordinate, 2ⁿ local minima, one of them the global one. */
export const styblinskiTang: TestFunction = {
  name: "styblinski-tang",
  title: "Styblinski-Tang",
  formula: "f(x) = ½ Σ xⱼ⁴ − 16 xⱼ² + 5 xⱼ",
  source:
    "Styblinski and Tang, Experiments in nonconvex optimization: stochastic approximation with function smoothing and " +
    "simulated annealing (1990); start of Flügel et al. (arXiv 2410.17764)",
  dimensions: { least: 1, most: Number.POSITIVE_INFINITY },
  start: (n) => new Float64Array(n),
  minimum: (n) => ({ at: new Float64Array(n).fill(root), value: -39.16616570377141 * n }),
  // ∂f/∂xⱼ = 2 xⱼ³ − 16 xⱼ + 5/2
  evaluate(x, gradient) {
    let sum = 0;
    for (let j = 0; j < x.length; j++) {
      const value = x[j] as number;
      const square = value * value;
      sum += square * (square - 16) + 5 * value;
      if (gradient) gradient[j] = value * (2 * square - 16) + 2.5;
    }
    return sum / 2;
  },
  build(g, x) {
    const square = g.mul(x, x);
    return g.mul(0.5, total(g, g.add(g.mul(square, g.sub(square, 16)), g.mul(5, x))));
  },
  view: {
    x: [-5, 5],
    y: [-5, 5],
    start: [1, 0],
    steps: 1000,
    learningRates: { exact: 0.05, estimate: 0.03 },
  },
};
