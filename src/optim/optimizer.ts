/** What an optimizer is. */
import type { Identity } from "../settings/named.ts";
import { number } from "../settings/option.ts";

/** Parameters, gradients or optimizer state, by name. */
export type Arrays = Readonly<Record<string, Float32Array>>;

/** Descent with momentum, as numbers: a velocity for each parameter where there is momentum. */
export interface MomentumRule {
  readonly momentum: number;
  readonly nesterov: boolean;
  readonly weightDecay: number;
}

/** Adam's step, as numbers: with the weight decay that is in the gradient, l2. */
export interface AdaptiveRule {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly l2: number;
  /**
   * Counts the step in the state: size, the rate over the mean's correction; correction, that of the root; keep, what decoupled decay
   * leaves of a parameter.
   */
  begin(
    state: Arrays,
    learningRate: number,
  ): { readonly size: number; readonly correction: number; readonly keep: number };
}

/** A rule that moves parameters against a gradient. Its state is plain data, so that a checkpoint can hold it. */
export interface Optimizer extends Identity {
  /** μ: a gradient moves the parameters 1/(1 − μ) times as far in the end. Default 0. */
  readonly momentum?: number;
  /** Whether a step is θ ← θ − rate·g and nothing else, which may happen inside of the product that makes g. Default false. */
  readonly isPlain?: boolean;
  /** Whether each gradient is divided by its own size, so that one learning rate serves all. Default false. */
  readonly isAdaptive?: boolean;
  /** What `update` computes, where the WebAssembly kernel computes the same (in-kernel.ts). Default: `update` alone knows. */
  readonly rule?: MomentumRule | AdaptiveRule;
  /** State before the first step: arrays of the parameters' lengths [n], under names of the optimizer's own. */
  init(parameters: Arrays): Arrays;
  /**
   * Moves `parameters` one step; writes into `parameters` and `state`, so that no step allocates. Parameters and gradients
   * are flat arrays [n] by the same names.
   */
  update(parameters: Arrays, gradients: Arrays, state: Arrays, learningRate: number): void;
}

/** Zeros as large as the parameters, under `<prefix>/<name>`. */
export function zerosLike(parameters: Arrays, prefix: string): Arrays {
  return Object.fromEntries(
    Object.entries(parameters).map(([name, values]) => [
      `${prefix}/${name}`,
      new Float32Array(values.length),
    ]),
  );
}

/** λ, from 0. @param how it enters the step */
export function weightDecay<const Default extends number>(help: string, standard: Default) {
  return number({ from: 0 }, { help, default: standard });
}
