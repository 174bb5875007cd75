/** Adam, and the adaptive step that it shares with AdamW. */
import { SettingError } from "../errors/errors.ts";
import { named } from "../settings/named.ts";
import { type Given, number, type Resolved } from "../settings/option.ts";
import { type AdaptiveRule, type Arrays, type Optimizer, weightDecay, zerosLike } from "./optimizer.ts";

/** What Adam and AdamW have in common. */
export const adaptiveOptions = {
  /** Decay of the gradient's mean, from 0 to below 1. */
  beta1: number({ from: 0, below: 1 }, { help: "decay of the mean gradient", default: 0.9 }),
  /** Decay of the gradient's mean square, from 0 to below 1. */
  beta2: number({ from: 0, below: 1 }, { help: "decay of the mean square", default: 0.999 }),
  /** Added to the root of the mean square. */
  epsilon: number({ from: 0 }, { help: "addition to the root mean square", default: 1e-8 }),
};

export const adamOptions = {
  ...adaptiveOptions,
  /** λ, from 0, as part of the gradient (L2). */
  weightDecay: weightDecay("pulls parameters towards 0, as a part of the gradient", 0),
};

/** Options of `adam`. */
export type AdamOptions = Given<typeof adamOptions>;

/**
 * Adam (Kingma and Ba, arXiv 1412.6980) as in PyTorch, with L2 weight decay: g ← g + λθ, m ← β₁m + (1 − β₁)g,
 * s ← β₂s + (1 − β₂)g², θ ← θ − lr·m̂/(√ŝ + ε) with the bias corrections m̂ = m/(1 − β₁ᵗ), ŝ = s/(1 − β₂ᵗ).
 *
 * @throws SettingError for options out of range
 */
export const adam = named("optimizer", "adam", adamOptions, (options) =>
  adaptive(options, options.weightDecay, 0),
);

/** Adam with the weight decay in the gradient (l2), apart from it (decoupled), or without. */
export function adaptive(
  { beta1, beta2, epsilon }: Resolved<typeof adaptiveOptions>,
  l2: number,
  decoupled: number,
): Omit<Optimizer, "name"> {
  const rule: AdaptiveRule = {
    ...{ beta1, beta2, epsilon, l2 },
    begin(state, learningRate) {
      const step = nextStep(state);
      return {
        size: learningRate / (1 - beta1 ** step),
        correction: Math.sqrt(1 - beta2 ** step),
        keep: 1 - learningRate * decoupled,
      };
    },
  };
  return {
    ...{ isAdaptive: true, rule },
    init: (parameters) => ({
      // Exact in float32 up to 2²⁴ steps, where the corrections have long been 1.
      steps: new Float32Array(1),
      ...zerosLike(parameters, "mean"),
      ...zerosLike(parameters, "square"),
    }),
    update(parameters, gradients, state, learningRate) {
      const { size, correction, keep } = rule.begin(state, learningRate);
      for (const [parameter, values] of Object.entries(parameters)) {
        const gradient = Object.hasOwn(gradients, parameter) ? gradients[parameter] : undefined;
        const mean = state[`mean/${parameter}`];
        const square = state[`square/${parameter}`];
        if (!gradient || !mean || !square) continue;
        for (let index = 0; index < values.length; index++) {
          const value = values[index] as number;
          const slope = (gradient[index] as number) + l2 * value;
          const m = beta1 * (mean[index] as number) + (1 - beta1) * slope;
          const s = beta2 * (square[index] as number) + (1 - beta2) * slope * slope;
          mean[index] = m;
          square[index] = s;
          values[index] = value * keep - (size * m) / (Math.sqrt(s) / correction + epsilon);
        }
      }
    },
  };
}

/** Counts the step in the state and returns its number, from 1. */
function nextStep({ steps }: Arrays): number {
  if (!steps)
    throw new SettingError("Adam's state has no step count; begin with the state that init() returns.", {
      option: "state",
    });
  steps[0] = (steps[0] as number) + 1;
  return steps[0] as number;
}
