import { addAll, at, coordinates, planar, type TestFunction, total } from "./test-function.ts";

/** Four local minima, and values from 3 to a million on a few units of the plane. */
export const goldsteinPrice: TestFunction = {
  name: "goldstein-price",
  title: "Goldstein-Price",
  formula:
    "f(x, y) = [1 + (x + y + 1)² (19 − 14x + 3x² − 14y + 6xy + 3y²)] · " +
    "[30 + (2x − 3y)² (18 − 32x + 12x² + 48y − 36xy + 27y²)]",
  source: "Goldstein and Price, On descent from local minima (1971)",
  dimensions: planar,
  start: () => Float64Array.of(-1, -1),
  minimum: () => ({ at: Float64Array.of(0, -1), value: 3 }),
  // f = (1 + s² p)(30 + t² q), s = x + y + 1, t = 2x − 3y; p depends on x + y alone, p′ = −14 + 6 (x + y)
  evaluate(point, gradient) {
    const [x, y] = [at(point, 0), at(point, 1)];
    const [s, t, sum] = [x + y + 1, 2 * x - 3 * y, x + y];
    const p = 19 - 14 * sum + 3 * sum ** 2;
    const q = 18 - 32 * x + 12 * x ** 2 + 48 * y - 36 * x * y + 27 * y ** 2;
    const [left, right] = [1 + s ** 2 * p, 30 + t ** 2 * q];
    if (gradient) {
      const slope = 2 * s * p + s ** 2 * (6 * sum - 14);
      gradient[0] = slope * right + left * (4 * t * q + t ** 2 * (24 * x - 36 * y - 32));
      gradient[1] = slope * right + left * (-6 * t * q + t ** 2 * (54 * y - 36 * x + 48));
    }
    return left * right;
  },
  build(g, point) {
    const [x, y] = coordinates(g, point);
    const square = (value: typeof x) => g.mul(value, value);
    const sum = g.add(x, y);
    const p = addAll(g, g.mul(3, square(sum)), g.mul(-14, sum), 19);
    const q = addAll(
      g,
      g.mul(12, square(x)),
      g.mul(27, square(y)),
      g.mul(-36, g.mul(x, y)),
      g.mul(-32, x),
      g.mul(48, y),
      18,
    );
    const left = g.add(1, g.mul(square(g.add(sum, 1)), p));
    const right = g.add(30, g.mul(square(g.sub(g.mul(2, x), g.mul(3, y))), q));
    return total(g, g.mul(left, right));
  },
  view: {
    x: [-2, 2],
    y: [-3, 1],
    start: [-1, -1],
    steps: 1000,
    learningRates: { exact: 2.5e-4, estimate: 1e-4 },
  },
};
