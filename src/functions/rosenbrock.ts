import { type TestFunction, total } from "./test-function.ts";

/** f(x) = Σ 100 (xⱼ₊₁ − xⱼ²)² + (1 − xⱼ)²: a curved valley with a nearly flat floor. */
export const rosenbrock: TestFunction = {
  name: "rosenbrock",
  title: "Rosenbrock",
  formula: "f(x) = Σ 100 (xⱼ₊₁ − xⱼ²)² + (1 − xⱼ)²",
  source:
    "Rosenbrock, An automatic method for finding the greatest or least value of a function (1960), chained in n " +
    "dimensions; start of Flügel et al. (arXiv 2410.17764)",
  // With one coordinate the sum is empty.
  dimensions: { least: 2, most: Number.POSITIVE_INFINITY },
  start(n) {
    const x = new Float64Array(n);
    x[0] = -1;
    return x;
  },
  minimum: (n) => ({ at: new Float64Array(n).fill(1), value: 0 }),
  // With r = xⱼ₊₁ − xⱼ²: ∂/∂xⱼ₊₁ = 200 r,  ∂/∂xⱼ = −400 r xⱼ − 2 (1 − xⱼ)
  evaluate(x, gradient) {
    let sum = 0;
    gradient?.fill(0);
    for (let j = 0; j + 1 < x.length; j++) {
      const value = x[j] as number;
      const rest = (x[j + 1] as number) - value * value;
      const side = 1 - value;
      sum += 100 * rest * rest + side * side;
      if (gradient) {
        gradient[j] = (gradient[j] as number) - 400 * rest * value - 2 * side;
        gradient[j + 1] = 200 * rest;
      }
    }
    return sum;
  },
  build(g, x) {
    const n = x.shape[0] as number;
    const [head, tail] = [g.slice(x, [0], [n - 1]), g.slice(x, [1], [n])];
    const rest = g.sub(tail, g.mul(head, head));
    const side = g.sub(1, head);
    return total(g, g.add(g.mul(100, g.mul(rest, rest)), g.mul(side, side)));
  },
  view: {
    x: [-1.2, 1.2],
    y: [-0.4, 1.3],
    start: [-1, 0],
    steps: 15000,
    learningRates: { exact: 1e-3, estimate: 5e-4 },
  },
};
