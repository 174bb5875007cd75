import { planar, type TestFunction, total } from "./test-function.ts";

/**
 * Many narrow valleys, and kinks on both axes, where |x| has the derivative 0. The paper's code has + sin y² in the
 * exponent; this is Yang's.
 */
export const forest: TestFunction = {
  name: "forest",
  title: "Forest",
  formula: "f(x, y) = (|x| + |y|) exp(−sin x² − sin y²)",
  source: "Yang, Engineering Optimization: An Introduction with Metaheuristic Applications (2010)",
  dimensions: planar,
  start: () => Float64Array.of(-4, -4),
  minimum: () => ({ at: Float64Array.of(0, 0), value: 0 }),
  // With s = |x| + |y| and e the exponential: ∂f/∂xⱼ = (sign xⱼ − 2 xⱼ s cos xⱼ²) e
  evaluate(point, gradient) {
    let [size, exponent] = [0, 0];
    for (const value of point) {
      size += Math.abs(value);
      exponent -= Math.sin(value ** 2);
    }
    const factor = Math.exp(exponent);
    for (const [j, value] of gradient ? point.entries() : [])
      if (gradient) gradient[j] = (Math.sign(value) - 2 * value * size * Math.cos(value ** 2)) * factor;
    return size * factor;
  },
  build: (g, point) => g.mul(total(g, g.abs(point)), g.exp(g.neg(total(g, g.sin(g.mul(point, point)))))),
  view: {
    x: [-5, 5],
    y: [-5, 5],
    start: [-4, -4],
    steps: 1000,
    learningRates: { exact: 0.05, estimate: 0.01 },
  },
};
