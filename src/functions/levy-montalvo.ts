import { addAll, at, coordinates, planar, type TestFunction, total } from "./test-function.ts";

/** Waves over a bowl, many local minima. With the global minimum at (1, 1), as in the paper's code. */
export const levyMontalvo: TestFunction = {
  name: "levy-montalvo",
  title: "Lévy-Montalvo",
  formula:
    "f(x, y) = π/2 [10 sin² πa + (a − 1)² (1 + 10 sin² πb) + (b − 1)²], a = 1 + (x − 1)/4, b = 1 + (y − 1)/4",
  source: "Lévy and Montalvo, The tunneling algorithm for the global minimization of functions (1985)",
  dimensions: planar,
  start: () => Float64Array.of(-8, -8),
  minimum: () => ({ at: Float64Array.of(1, 1), value: 0 }),
  // ∂f/∂a = π/2 [10π sin 2πa + 2 (a − 1)(1 + 10 sin² πb)],  ∂f/∂b = π/2 [10π (a − 1)² sin 2πb + 2 (b − 1)]
  evaluate(point, gradient) {
    const [a, b] = [1 + (at(point, 0) - 1) / 4, 1 + (at(point, 1) - 1) / 4];
    const wave = 1 + 10 * Math.sin(Math.PI * b) ** 2;
    if (gradient) {
      const steepness = 10 * Math.PI;
      gradient[0] = (Math.PI / 8) * (steepness * Math.sin(2 * Math.PI * a) + 2 * (a - 1) * wave);
      gradient[1] = (Math.PI / 8) * (steepness * (a - 1) ** 2 * Math.sin(2 * Math.PI * b) + 2 * (b - 1));
    }
    return (Math.PI / 2) * (10 * Math.sin(Math.PI * a) ** 2 + (a - 1) ** 2 * wave + (b - 1) ** 2);
  },
  build(g, point) {
    const square = (value: typeof point) => g.mul(value, value);
    const rest = g.mul(0.25, g.sub(point, 1));
    const wave = g.mul(10, square(g.sin(g.mul(Math.PI, g.add(rest, 1)))));
    const [a, b] = coordinates(g, rest);
    const [waveA, waveB] = coordinates(g, wave);
    const sum = addAll(g, waveA, g.mul(square(a), g.add(waveB, 1)), square(b));
    return total(g, g.mul(Math.PI / 2, sum));
  },
  view: {
    x: [-10, 10],
    y: [-10, 10],
    start: [-8, -8],
    steps: 1000,
    learningRates: { exact: 0.165, estimate: 0.05 },
  },
};
