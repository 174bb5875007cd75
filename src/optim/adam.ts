import { SettingError } from "../errors/errors.ts";
import {
  type Arrays,
  type Optimizer,
  type OptimizerOptions,
  refuseOptions,
  requireBelow,
  zerosLike,
} from "./optimizer.ts";

/** Options of `adam` and `adamw`. */
export type AdamOptions = Omit<OptimizerOptions, "momentum" | "nesterov">;

/**
 * Adam (Kingma and Ba, arXiv 1412.6980) as in PyTorch, with L2 weight decay: g ← g + λθ, m ← β₁m + (1 − β₁)g,
 * s ← β₂s + (1 − β₂)g², θ ← θ − lr·m̂/(√ŝ + ε) with the bias corrections m̂ = m/(1 − β₁ᵗ), ŝ = s/(1 − β₂ᵗ).
 *
 * @throws for options out of range
 */
export function adam(options: AdamOptions = {}): Optimizer {
  return adaptive("adam", options, options.weightDecay ?? 0, 0);
}

/** Adam with the weight decay in the gradient (l2), apart from it (decoupled), or without. */
export function adaptive(name: string, options: AdamOptions, l2: number, decoupled: number): Optimizer {
  const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8 } = options;
  refuseOptions(name, options, ["momentum", "nesterov"]);
  requireBelow("beta1", beta1, 1);
  requireBelow("beta2", beta2, 1);
  requireBelow("epsilon", epsilon, Number.POSITIVE_INFINITY);
  requireBelow("weightDecay", l2 + decoupled, Number.POSITIVE_INFINITY);
  return {
    name,
    init: (parameters) => ({
      // Exact in float32 up to 2²⁴ steps, where the corrections have long been 1.
      steps: new Float32Array(1),
      ...zerosLike(parameters, "mean"),
      ...zerosLike(parameters, "square"),
    }),
    update(parameters, gradients, state, learningRate) {
      const step = nextStep(state);
      const size = learningRate / (1 - beta1 ** step);
      const correction = Math.sqrt(1 - beta2 ** step);
      for (const [parameter, values] of Object.entries(parameters)) {
        const gradient = Object.hasOwn(gradients, parameter) ? gradients[parameter] : undefined;
        const mean = state[`mean/${parameter}`];
        const square = state[`square/${parameter}`];
        if (!gradient || !mean || !square) continue;
        for (let place = 0; place < values.length; place++) {
          const value = values[place] as number;
          const slope = (gradient[place] as number) + l2 * value;
          const m = beta1 * (mean[place] as number) + (1 - beta1) * slope;
          const s = beta2 * (square[place] as number) + (1 - beta2) * slope * slope;
          mean[place] = m;
          square[place] = s;
          values[place] =
            value * (1 - learningRate * decoupled) - (size * m) / (Math.sqrt(s) / correction + epsilon);
        }
      }
    },
  };
}

/** Counts the step in the state and returns its number, from 1. */
function nextStep(state: Arrays): number {
  const { steps } = state;
  if (!steps)
    throw new SettingError("Adam's state has no step count; begin with the state that init() returns.", {
      option: "state",
    });
  steps[0] = (steps[0] as number) + 1;
  return steps[0] as number;
}
