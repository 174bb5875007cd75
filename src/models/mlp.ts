/** Fully connected networks. */
import { SettingError } from "../errors/errors.ts";
import type { Graph, Value } from "../onnx/graph.ts";
import { choice } from "../settings/option.ts";
import { type ActivationName, activations } from "./activations.ts";
import { linear } from "./layers.ts";
import {
  finishNetwork,
  largestModel,
  type ModelOptions,
  normalizedInput,
  startNetwork,
  tooLarge,
} from "./network.ts";
import { checkModel, sizes } from "./options.ts";

const ownOptions = {
  hidden: sizes,
  activation: choice(Object.keys(activations), {}),
};

/** Options of `mlp`. */
export interface MlpOptions extends ModelOptions {
  /** Widths of the hidden layers. Default [256, 256]. */
  readonly hidden?: readonly number[];
  /** Default relu. */
  readonly activation?: ActivationName;
}

/**
 * A fully connected network: input [batch, ...input] float32 → `logits` [batch, outputs], with the parameters
 * `layer1.weight` [out, in] and `layer1.bias` [out], …, and one block a layer.
 *
 * Initialized as PyTorch's Linear: weights and biases uniform in ±1/√in.
 *
 * @throws SettingError for an unknown option, with the nearest one, and a wrong value; also when a width is no whole number from 1
 */
export function mlp(options: MlpOptions): Graph {
  checkModel("mlp", ownOptions, options);
  const { input, hidden = [256, 256], outputs, activation = "relu" } = options;
  const sizes = [input.reduce((product, size) => product * size, 1), ...hidden, outputs];
  if (sizes.some((size) => !Number.isInteger(size) || size < 1)) {
    throw new SettingError(`mlp: layer sizes must be whole numbers from 1, received ${sizes.join("-")}.`, {
      option: "mlp.hidden",
    });
  }
  const count = sizes
    .slice(1)
    .reduce((total, width, index) => total + width * ((sizes[index] as number) + 1), 0);
  if (count > largestModel)
    throw new SettingError(tooLarge("mlp", `layers of sizes ${sizes.join("-")} have`, count), {
      option: "mlp.hidden",
    });
  const network = startNetwork(`mlp-${sizes.join("-")}`, options);
  const { g } = network;
  let x: Value = network.input;
  for (const [index, width] of sizes.slice(1).entries()) {
    const name = `layer${index + 1}`;
    x = g.block(name, () => {
      const flat = index === 0 ? flatten(normalizedInput(network)) : x;
      const y = linear(network, flat, name, width);
      if (index + 2 < sizes.length) return activations[activation](g, y);
      return y;
    });
  }
  return finishNetwork(network, x);

  function flatten(value: Value): Value {
    return value.shape.length > 2 ? g.flatten(value) : value;
  }
}
