import { planar, type TestFunction, total } from "./test-function.ts";

/** f(x, y) = x² + y² + 25 (sin²x + sin²y): a bowl with dents. */
export const eggCrate: TestFunction = {
  name: "egg-crate",
  title: "Egg crate",
  formula: "f(x, y) = x² + y² + 25 (sin² x + sin² y)",
  source: "Jamil and Yang, A literature survey of benchmark functions (arXiv 1308.4008), number 54",
  dimensions: planar,
  start: () => Float64Array.of(-4, -2),
  minimum: () => ({ at: Float64Array.of(0, 0), value: 0 }),
  // ∂f/∂xⱼ = 2 xⱼ + 25 sin 2xⱼ
  evaluate(point, gradient) {
    let sum = 0;
    for (const [j, value] of point.entries()) {
      sum += value ** 2 + 25 * Math.sin(value) ** 2;
      if (gradient) gradient[j] = 2 * value + 25 * Math.sin(2 * value);
    }
    return sum;
  },
  build(g, point) {
    const sine = g.sin(point);
    return total(g, g.add(g.mul(point, point), g.mul(25, g.mul(sine, sine))));
  },
  view: {
    x: [-5, 5],
    y: [-5, 5],
    start: [-4, -2],
    steps: 1000,
    learningRates: { exact: 0.075, estimate: 0.01 },
  },
};
