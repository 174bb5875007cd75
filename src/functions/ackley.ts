import { at, planar, type TestFunction, total } from "./test-function.ts";

const turn = 2 * Math.PI;

/**
 * A hole in a nearly flat plain full of dents. Its tip at the origin is a cone: the gradient there is 0 in the formula
 * and not a number in the graph, as in PyTorch.
 */
export const ackley: TestFunction = {
  name: "ackley",
  title: "Ackley",
  formula: "f(x, y) = 20 + e − 20 exp(−0.2 √(½(x² + y²))) − exp(½(cos 2πx + cos 2πy))",
  source: "Ackley, A Connectionist Machine for Genetic Hillclimbing (1987)",
  dimensions: planar,
  start: () => Float64Array.of(-20, 0),
  minimum: () => ({ at: Float64Array.of(0, 0), value: 0 }),
  // With r = √(½(x² + y²)): ∂f/∂xⱼ = 2 e^(−0.2 r) xⱼ / r + π sin(2πxⱼ) e^(½ Σ cos 2πx)
  evaluate(point, gradient) {
    const [x, y] = [at(point, 0), at(point, 1)];
    const radius = Math.sqrt((x * x + y * y) / 2);
    const hole = Math.exp(-0.2 * radius);
    const dents = Math.exp((Math.cos(turn * x) + Math.cos(turn * y)) / 2);
    if (gradient) {
      const slope = radius === 0 ? 0 : (2 * hole) / radius;
      gradient[0] = slope * x + Math.PI * Math.sin(turn * x) * dents;
      gradient[1] = slope * y + Math.PI * Math.sin(turn * y) * dents;
    }
    return 20 + Math.E - 20 * hole - dents;
  },
  build(g, point) {
    const mean = (vector: typeof point) => g.mul(0.5, total(g, vector));
    const hole = g.exp(g.mul(-0.2, g.sqrt(mean(g.mul(point, point)))));
    const dents = g.exp(mean(g.cos(g.mul(turn, point))));
    return g.sub(20 + Math.E, g.add(g.mul(20, hole), dents));
  },
  view: {
    x: [-30, 30],
    y: [-30, 30],
    start: [-20, 0],
    steps: 2500,
    learningRates: { exact: 0.8, estimate: 0.075 },
  },
};
