/** Stochastic gradient descent, with momentum where it is asked for. */
import { SettingError } from "../errors/errors.ts";
import { named } from "../settings/named.ts";
import { type Given, number, toggle } from "../settings/option.ts";
import { type Optimizer, weightDecay, zerosLike } from "./optimizer.ts";

export const sgdOptions = {
  /** μ, from 0 to below 1. */
  momentum: number(
    { from: 0, below: 1 },
    { help: "part of the last step that goes on in the next", default: 0 },
  ),
  /** Looks ahead along the momentum. */
  nesterov: toggle({ help: "look ahead along the momentum" }),
  /** λ, from 0, as part of the gradient (L2). */
  weightDecay: weightDecay("pulls parameters towards 0, as a part of the gradient", 0),
};

/** Options of `sgd`. */
export type SgdOptions = Given<typeof sgdOptions>;

/**
 * Stochastic gradient descent as in PyTorch, with L2 weight decay: g ← g + λθ, v ← μv + g, θ ← θ − lr·v, or with
 * Nesterov's look-ahead θ ← θ − lr·(g + μv).
 *
 * @throws SettingError for options out of range, and for Nesterov's look-ahead without momentum
 */
export const sgd = named("optimizer", "sgd", sgdOptions, (rule): Omit<Optimizer, "name"> => {
  const { momentum, nesterov, weightDecay } = rule;
  if (nesterov && momentum === 0) {
    throw new SettingError(
      "nesterov looks ahead along the momentum, and the momentum is 0; set it, for example to 0.9.",
      { option: "optimizer.nesterov" },
    );
  }
  return {
    ...{ momentum, rule },
    isPlain: momentum === 0 && weightDecay === 0,
    init: (parameters) => (momentum === 0 ? {} : zerosLike(parameters, "velocity")),
    update(parameters, gradients, state, learningRate) {
      for (const [name, values] of Object.entries(parameters)) {
        const gradient = Object.hasOwn(gradients, name) ? gradients[name] : undefined;
        if (!gradient) continue;
        const velocity = state[`velocity/${name}`];
        if (!velocity && weightDecay === 0) {
          descend(values, gradient, learningRate);
          continue;
        }
        for (let index = 0; index < values.length; index++) {
          const value = values[index] as number;
          let direction = (gradient[index] as number) + weightDecay * value;
          if (velocity) {
            const speed = momentum * (velocity[index] as number) + direction;
            velocity[index] = speed;
            direction = nesterov ? direction + momentum * speed : (velocity[index] as number);
          }
          values[index] = value - learningRate * direction;
        }
      }
    },
  };
});

/** θ ← θ − lr·g, four numbers a round: the round itself takes V8 as long as two of them. */
function descend(values: Float32Array, gradient: Float32Array, learningRate: number): void {
  const whole = values.length - (values.length % 4);
  for (let index = 0; index < whole; index += 4) {
    values[index] = (values[index] as number) - learningRate * (gradient[index] as number);
    values[index + 1] = (values[index + 1] as number) - learningRate * (gradient[index + 1] as number);
    values[index + 2] = (values[index + 2] as number) - learningRate * (gradient[index + 2] as number);
    values[index + 3] = (values[index + 3] as number) - learningRate * (gradient[index + 3] as number);
  }
  for (let index = whole; index < values.length; index++)
    values[index] = (values[index] as number) - learningRate * (gradient[index] as number);
}
