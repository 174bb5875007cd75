/** ResNet-18. */
import type { Graph, Value } from "../onnx/graph.ts";
import { furtherRules } from "../ops/catalogue.ts";
import { choice } from "../settings/option.ts";
import { heNormal } from "./initial.ts";
import { batchNorm, convolution, groupNorm, linear, pool, type Windows } from "./layers.ts";
import {
  checkSizes,
  finishNetwork,
  imageShape,
  type ModelOptions,
  type Network,
  normalizedInput,
  startNetwork,
} from "./network.ts";
import { checkModel, size } from "./options.ts";

/** What stands behind each convolution, by name. */
export const resnetNorms = ["batch", "group"] as const;

const ownOptions = {
  norm: choice(resnetNorms, {}),
  groups: size,
  width: size,
};

/** Options of `resnet18`. */
export interface Resnet18Options extends ModelOptions {
  /**
   * batch: BatchNormalization with running statistics, which are part of the model and not trained; group:
   * GroupNormalization. Default batch.
   */
  readonly norm?: (typeof resnetNorms)[number];
  /** Groups of GroupNormalization: the largest divisor of a layer's channels up to this. Default 32. */
  readonly groups?: number;
  /** Channels of the first stage; each later one has twice as many. Default 64. */
  readonly width?: number;
}

/**
 * ResNet-18 (He et al., CVPR 2016, arXiv 1512.03385) as torchvision's resnet18, parameter names included: a 7×7
 * convolution of stride 2, 3×3 max-pooling of stride 2, four stages of two residual blocks, the mean over all positions, and
 * a linear layer. Input [batch, channels, height, width] → `logits` [batch, outputs]. Blocks: `stem`, `layer1.0`,
 * `layer1.1`, …, `layer4.1`, `head`.
 *
 * Initialized as there: convolutions normal with variance 2/fanOut, normalizations as the identity, the head as Linear.
 *
 * @throws SettingError for an unknown option, with the nearest one, and a wrong value; also when the input is no image [channels, height, width], or a size is no whole number from 1
 */
export function resnet18(options: Resnet18Options): Graph {
  checkModel("resnet18", ownOptions, options);
  const { norm = "batch", groups = 32, width = 64, outputs } = options;
  checkSizes("resnet18", { width, groups });
  imageShape("resnet18", options);
  const network = startNetwork(`resnet18-${norm}`, options, furtherRules);
  const { g } = network;
  const layers: Layers = {
    convolution: (x, name, channels, windows) => {
      const weight = heNormal(channels * windows.kernel * windows.kernel);
      return convolution(network, x, name, channels, windows, { weight, bias: false });
    },
    norm: (x, name) =>
      norm === "batch"
        ? batchNorm(network, x, name)
        : groupNorm(network, x, name, largestDivisor(x.shape[1] as number, groups)),
  };
  let x = g.block("stem", () => {
    const y = layers.convolution(normalizedInput(network), "conv1", width, {
      kernel: 7,
      stride: 2,
      padding: 3,
    });
    return pool(network, g.relu(layers.norm(y, "bn1")), "max", { kernel: 3, stride: 2, padding: 1 });
  });
  for (let stage = 0; stage < 4; stage++)
    for (let block = 0; block < 2; block++) {
      const name = `layer${stage + 1}.${block}`;
      const stride = stage > 0 && block === 0 ? 2 : 1;
      x = g.block(name, () => residual(network, layers, x, name, width * 2 ** stage, stride));
    }
  const logits = g.block("head", () =>
    linear(network, g.reduceMean(x, [2, 3], { keepdims: 0 }), "fc", outputs),
  );
  return finishNetwork(network, logits);
}

interface Layers {
  convolution(x: Value, name: string, channels: number, windows: Windows): Value;
  norm(x: Value, name: string): Value;
}

/** relu(norm(conv(relu(norm(conv(x))))) + x); where the size changes, x passes a 1×1 convolution of the same stride. */
function residual(
  { g }: Network,
  { convolution: convolve, norm }: Layers,
  x: Value,
  name: string,
  channels: number,
  stride: number,
): Value {
  const first = convolve(x, `${name}.conv1`, channels, { kernel: 3, stride, padding: 1 });
  const inner = g.relu(norm(first, `${name}.bn1`));
  const second = convolve(inner, `${name}.conv2`, channels, { kernel: 3, padding: 1 });
  const y = norm(second, `${name}.bn2`);
  if (stride === 1) return g.relu(g.add(y, x));
  const shortcut = convolve(x, `${name}.downsample.0`, channels, { kernel: 1, stride });
  return g.relu(g.add(y, norm(shortcut, `${name}.downsample.1`)));
}

function largestDivisor(channels: number, most: number): number {
  let groups = Math.min(most, channels);
  while (channels % groups !== 0) groups--;
  return groups;
}
