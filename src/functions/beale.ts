import { addAll, at, coordinates, planar, type TestFunction, total } from "./test-function.ts";

/** f(x, y) = Σ (cₚ − x + x yᵖ)² for p = 1, 2, 3: a narrow curved valley, steep at the corners. */
export const beale: TestFunction = {
  name: "beale",
  title: "Beale",
  formula: "f(x, y) = (1.5 − x + xy)² + (2.25 − x + xy²)² + (2.625 − x + xy³)²",
  source:
    "Beale, On an iterative method for finding a local minimum of a function of more than one variable (1958)",
  dimensions: planar,
  start: () => Float64Array.of(0, 0),
  minimum: () => ({ at: Float64Array.of(3, 0.5), value: 0 }),
  // With rₚ = cₚ − x + x yᵖ: ∂f/∂x = Σ 2 rₚ (yᵖ − 1),  ∂f/∂y = Σ 2 rₚ p x yᵖ⁻¹
  evaluate(point, gradient) {
    const [x, y] = [at(point, 0), at(point, 1)];
    const first = 1.5 - x + x * y;
    const second = 2.25 - x + x * y ** 2;
    const third = 2.625 - x + x * y ** 3;
    if (gradient) {
      gradient[0] = 2 * (first * (y - 1) + second * (y ** 2 - 1) + third * (y ** 3 - 1));
      gradient[1] = 2 * x * (first + 2 * second * y + 3 * third * y ** 2);
    }
    return first ** 2 + second ** 2 + third ** 2;
  },
  build(g, point) {
    const [x, y] = coordinates(g, point);
    const square = g.mul(y, y);
    const terms = (
      [
        [1.5, y],
        [2.25, square],
        [2.625, g.mul(square, y)],
      ] as const
    ).map(([constant, power]) => {
      const rest = g.add(g.sub(constant, x), g.mul(x, power));
      return g.mul(rest, rest);
    });
    const [first = x, ...others] = terms;
    return total(g, addAll(g, first, ...others));
  },
  view: {
    x: [0, 3.5],
    y: [-0.6, 0.6],
    start: [0, 0],
    steps: 1000,
    learningRates: { exact: 0.01, estimate: 0.01 },
  },
};
