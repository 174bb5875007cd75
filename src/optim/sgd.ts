import type { Optimizer } from "./optimizer.ts";

export interface SgdOptions {
  /** μ, from 0 to below 1. Default 0. */
  readonly momentum?: number;
}

/** Stochastic gradient descent with momentum, as in PyTorch: v ← μ v + g, θ ← θ − lr·v. */
export function sgd(options: SgdOptions = {}): Optimizer {
  const momentum = options.momentum ?? 0;
  if (!(momentum >= 0 && momentum < 1))
    throw new Error(`momentum must be from 0 to below 1, received ${momentum}.`);
  return {
    name: "sgd",
    init: (parameters) =>
      momentum === 0
        ? {}
        : Object.fromEntries(
            Object.entries(parameters).map(([name, values]) => [
              `velocity/${name}`,
              new Float32Array(values.length),
            ]),
          ),
    update(parameters, gradients, state, learningRate) {
      for (const [name, values] of Object.entries(parameters)) {
        const gradient = gradients[name];
        if (!gradient) continue;
        const velocity = state[`velocity/${name}`];
        if (velocity) accumulate(velocity, gradient, momentum);
        descend(values, velocity ?? gradient, learningRate);
      }
    },
  };
}

function accumulate(velocity: Float32Array, gradient: Float32Array, momentum: number): void {
  for (let place = 0; place < velocity.length; place++)
    velocity[place] = momentum * (velocity[place] as number) + (gradient[place] as number);
}

function descend(values: Float32Array, direction: Float32Array, learningRate: number): void {
  for (let place = 0; place < values.length; place++)
    values[place] = (values[place] as number) - learningRate * (direction[place] as number);
}
