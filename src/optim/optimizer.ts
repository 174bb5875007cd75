import { SettingError } from "../errors/errors.ts";
/** Parameters, gradients or optimizer state, by name. */
export type Arrays = Readonly<Record<string, Float32Array>>;

/** A rule that moves parameters against a gradient. Its state is plain data, so that a checkpoint can hold it. */
export interface Optimizer {
  /** Its name in lists and on the command line. */
  readonly name: string;
  /** State before the first step: arrays of the parameters' lengths [n], under names of the optimizer's own. */
  init(parameters: Arrays): Arrays;
  /**
   * Moves `parameters` one step; writes into `parameters` and `state`, so that no step allocates. Parameters and gradients
   * are flat arrays [n] by the same names.
   */
  update(parameters: Arrays, gradients: Arrays, state: Arrays, learningRate: number): void;
}

/** What can be asked of any optimizer by name; each refuses what it does not know. */
export interface OptimizerOptions {
  /** sgd: μ, from 0 to below 1. Default 0. */
  readonly momentum?: number;
  /** sgd: looks ahead along the momentum. Default false. */
  readonly nesterov?: boolean;
  /** λ, from 0. Part of the gradient (L2) for sgd and adam, apart from it for adamw. Default 0; adamw: 0.01. */
  readonly weightDecay?: number;
  /** adam and adamw: decay of the gradient's mean, from 0 to below 1. Default 0.9. */
  readonly beta1?: number;
  /** adam and adamw: decay of the gradient's mean square, from 0 to below 1. Default 0.999. */
  readonly beta2?: number;
  /** adam and adamw: added to the root of the mean square. Default 1e-8. */
  readonly epsilon?: number;
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

/** @throws when a number is not from 0 to below the limit. */
export function requireBelow(name: string, value: number, limit: number): void {
  if (value >= 0 && value < limit) return;
  const range = limit === Number.POSITIVE_INFINITY ? "a finite number from 0" : `from 0 to below ${limit}`;
  throw new SettingError(`${name} must be ${range}, received ${value}.`, { option: name });
}

/** @throws when an option of another optimizer is given. */
export function refuseOptions(
  optimizer: string,
  options: OptimizerOptions,
  names: readonly (keyof OptimizerOptions)[],
): void {
  for (const name of names) {
    if (!options[name]) continue;
    const remedy = name === "momentum" ? "its momentum is beta1" : "leave it out or choose another optimizer";
    throw new SettingError(`${name} (${options[name]}) is not an option of ${optimizer}; ${remedy}.`, {
      option: name,
    });
  }
}
