/** LeNet-5. */
import { SettingError } from "../errors/errors.ts";
import type { Graph } from "../onnx/graph.ts";
import { furtherRules } from "../ops/catalogue.ts";
import { choice, whole } from "../settings/option.ts";
import { type ActivationName, activations } from "./activations.ts";
import { convolution, linear, type PoolMode, pool } from "./layers.ts";
import {
  checkSizes,
  finishNetwork,
  imageShape,
  type ModelOptions,
  normalizedInput,
  startNetwork,
} from "./network.ts";
import { checkModel, pair } from "./options.ts";

const ownOptions = {
  activation: choice(Object.keys(activations), {}),
  pooling: choice(["max", "average"], {}),
  padding: whole(0, {}),
  channels: pair,
  hidden: pair,
};

/** Options of `lenet5`. */
export interface Lenet5Options extends ModelOptions {
  /** Default relu; LeCun et al. had a scaled tanh. */
  readonly activation?: ActivationName;
  /** Default max; LeCun et al. had averages. */
  readonly pooling?: PoolMode;
  /** Zeros around the image. Default 2 for images of height 28, which makes them 32×32, otherwise 0. */
  readonly padding?: number;
  /** Channels of the two convolutions. Default [6, 16]. */
  readonly channels?: readonly [number, number];
  /** Widths of the two hidden linear layers. Default [120, 84]. */
  readonly hidden?: readonly [number, number];
}

/**
 * LeNet-5 (LeCun et al., Proc. IEEE 86(11), 1998) as it is usually written today: two 5×5 convolutions, each with an
 * activation and 2×2 pooling, then three linear layers; 61,706 parameters for MNIST. Input [batch, channels, height,
 * width] → `logits` [batch, outputs]. Blocks: `conv1`, `conv2`, `fc1`, `fc2`, `fc3`.
 *
 * Initialized as PyTorch's Conv2d and Linear: weights and biases uniform in ±1/√fanIn.
 *
 * @throws SettingError for an unknown option, with the nearest one, and a wrong value; also when the input is no image [channels, height, width], the image is too small, or a size is no whole number from 1
 */
export function lenet5(options: Lenet5Options): Graph {
  checkModel("lenet5", ownOptions, options);
  const { activation = "relu", pooling = "max", channels = [6, 16], hidden = [120, 84], outputs } = options;
  const { height, width } = imageShape("lenet5", options);
  const { padding = height === 28 ? 2 : 0 } = options;
  checkSizes("lenet5", { channels, hidden });
  // Each convolution takes 4 pixels of a side, each pool halves it.
  if (Math.min(height, width) + 2 * padding < 16) {
    throw new SettingError(
      `lenet5: images of ${height}×${width} with a padding of ${padding} are too small; both sides need at least 16 pixels ` +
        "with the padding. Use larger images, more padding, or the model convnet.",
      { option: "lenet5.input" },
    );
  }
  const network = startNetwork("lenet5", options, furtherRules);
  const { g } = network;
  const activate = activations[activation];
  const windows = { kernel: 2, stride: 2 };
  let x = g.block("conv1", () => {
    const y = convolution(network, normalizedInput(network), "conv1", channels[0], { kernel: 5, padding });
    return pool(network, activate(g, y), pooling, windows);
  });
  x = g.block("conv2", () =>
    pool(
      network,
      activate(g, convolution(network, x, "conv2", channels[1], { kernel: 5 })),
      pooling,
      windows,
    ),
  );
  x = g.block("fc1", () => activate(g, linear(network, g.flatten(x), "fc1", hidden[0])));
  x = g.block("fc2", () => activate(g, linear(network, x, "fc2", hidden[1])));
  return finishNetwork(
    network,
    g.block("fc3", () => linear(network, x, "fc3", outputs)),
  );
}
