import {
  type Optimizer,
  type OptimizerOptions,
  refuseOptions,
  requireBelow,
  zerosLike,
} from "./optimizer.ts";

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
    throw new Error(
      "nesterov looks ahead along the momentum, and the momentum is 0; set it, for example to 0.9.",
    );
  }
  return {
    name: "sgd",
    init: (parameters) => (momentum === 0 ? {} : zerosLike(parameters, "velocity")),
    update(parameters, gradients, state, learningRate) {
      for (const [name, values] of Object.entries(parameters)) {
        const gradient = gradients[name];
        if (!gradient) continue;
        const velocity = state[`velocity/${name}`];
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
