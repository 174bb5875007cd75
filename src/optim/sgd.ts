import { SettingError } from "../errors/errors.ts";
import {
  type Optimizer,
  type OptimizerOptions,
  refuseOptions,
  requireBelow,
  zerosLike,
} from "./optimizer.ts";

/** Options of `sgd`. */
export type SgdOptions = Pick<OptimizerOptions, "momentum" | "nesterov" | "weightDecay">;

/**
 * Stochastic gradient descent as in PyTorch, with L2 weight decay: g ← g + λθ, v ← μv + g, θ ← θ − lr·v, or with
 * Nesterov's look-ahead θ ← θ − lr·(g + μv).
 *
 * @throws for options out of range, and for Nesterov's look-ahead without momentum
 */
export function sgd(options: SgdOptions = {}): Optimizer {
  const { momentum = 0, nesterov = false, weightDecay = 0 } = options;
  refuseOptions("sgd", options, ["beta1", "beta2", "epsilon"]);
  requireBelow("momentum", momentum, 1);
  requireBelow("weightDecay", weightDecay, Number.POSITIVE_INFINITY);
  if (nesterov && momentum === 0) {
    throw new SettingError(
      "nesterov looks ahead along the momentum, and the momentum is 0; set it, for example to 0.9.",
      { option: "nesterov" },
    );
  }
  return {
    name: "sgd",
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
        for (let place = 0; place < values.length; place++) {
          const value = values[place] as number;
          let direction = (gradient[place] as number) + weightDecay * value;
          if (velocity) {
            const speed = momentum * (velocity[place] as number) + direction;
            velocity[place] = speed;
            direction = nesterov ? direction + momentum * speed : (velocity[place] as number);
          }
          values[place] = value - learningRate * direction;
        }
      }
    },
  };
}

/** θ ← θ − lr·g, four numbers a round: the round itself takes V8 as long as two of them. */
function descend(values: Float32Array, gradient: Float32Array, learningRate: number): void {
  const whole = values.length - (values.length % 4);
  for (let place = 0; place < whole; place += 4) {
    values[place] = (values[place] as number) - learningRate * (gradient[place] as number);
    values[place + 1] = (values[place + 1] as number) - learningRate * (gradient[place + 1] as number);
    values[place + 2] = (values[place + 2] as number) - learningRate * (gradient[place + 2] as number);
    values[place + 3] = (values[place + 3] as number) - learningRate * (gradient[place + 3] as number);
  }
  for (let place = whole; place < values.length; place++)
    values[place] = (values[place] as number) - learningRate * (gradient[place] as number);
}
