import { type TestFunction, total } from "./test-function.ts";

/** f(x) = −Σ xⱼ: the same gradient everywhere, so that a path shows the estimates and nothing else. No minimum. */
export const plane: TestFunction = {
  name: "plane",
  title: "Plane",
  formula: "f(x) = −Σ xⱼ",
  source: "Flügel et al. (arXiv 2410.17764)",
  dimensions: { least: 1, most: Number.POSITIVE_INFINITY },
  start: (n) => new Float64Array(n),
  minimum: () => undefined,
  // ∂f/∂xⱼ = −1
  evaluate(x, gradient) {
    gradient?.fill(-1);
    return -x.reduce((sum, value) => sum + value, 0);
  },
  build: (g, x) => g.neg(total(g, x)),
  view: { x: [-2, 2], y: [-2, 2], start: [0, 0], steps: 20, learningRates: { exact: 0.1, estimate: 0.1 } },
};
