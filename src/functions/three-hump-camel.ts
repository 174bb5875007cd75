import { addAll, at, coordinates, planar, type TestFunction, total } from "./test-function.ts";

/** Three valleys in a row, the middle one the deepest. */
export const threeHumpCamel: TestFunction = {
  name: "three-hump-camel",
  title: "Three-hump camel",
  formula: "f(x, y) = 2x² − 1.05x⁴ + x⁶/6 + xy + y²",
  source:
    "Branin, Widely convergent method for finding multiple solutions of simultaneous nonlinear equations (1972)",
  dimensions: planar,
  start: () => Float64Array.of(-4, -4),
  minimum: () => ({ at: Float64Array.of(0, 0), value: 0 }),
  // ∂f/∂x = 4x − 4.2x³ + x⁵ + y,  ∂f/∂y = x + 2y
  evaluate(point, gradient) {
    const [x, y] = [at(point, 0), at(point, 1)];
    if (gradient) {
      gradient[0] = 4 * x - 4.2 * x ** 3 + x ** 5 + y;
      gradient[1] = x + 2 * y;
    }
    return 2 * x ** 2 - 1.05 * x ** 4 + x ** 6 / 6 + x * y + y ** 2;
  },
  build(g, point) {
    const [x, y] = coordinates(g, point);
    const square = g.mul(x, x);
    const fourth = g.mul(square, square);
    const sixth = g.mul(square, fourth);
    return total(
      g,
      addAll(g, g.mul(2, square), g.mul(-1.05, fourth), g.mul(1 / 6, sixth), g.mul(x, y), g.mul(y, y)),
    );
  },
  view: {
    x: [-5, 5],
    y: [-5, 5],
    start: [-4, -4],
    steps: 5000,
    learningRates: { exact: 0.005, estimate: 0.001 },
  },
};
