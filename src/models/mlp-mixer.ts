/** MLP-Mixer. */
import type { Graph, Value } from "../onnx/graph.ts";
import { furtherRules } from "../ops/catalogue.ts";
import { layerStreams } from "../random/streams.ts";
import { fold } from "../random/threefry.ts";
import { constant, scaledUniform } from "./initial.ts";
import { affine, layerNorm, linear, patches } from "./layers.ts";
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

const ownOptions = {
  patch: size,
  layers: size,
  width: size,
  tokenMlp: size,
  channelMlp: size,
};

/** Options of `mlpMixer`. */
export interface MlpMixerOptions extends ModelOptions {
  /** Side of the square patches. Default 4. */
  readonly patch?: number;
  /** Number of mixer layers. Default 4. */
  readonly layers?: number;
  /** Size of a token. Default 128. */
  readonly width?: number;
  /** Hidden width of the perceptrons across tokens. Default half the width, as in the paper's models. */
  readonly tokenMlp?: number;
  /** Hidden width of the perceptrons across channels. Default four times the width, as in the paper's models. */
  readonly channelMlp?: number;
}

// As in the authors' code.
const epsilon = 1e-6;

/**
 * An MLP-Mixer (Tolstikhin et al., NeurIPS 2021, arXiv 2105.01601): linear patch embedding, then layers of
 * y = x + mix(LN(x)ᵀ)ᵀ and y + mix(LN(y)), where mix is Linear, GELU, Linear; a last normalization, the mean over all
 * tokens, and a linear head. Input [batch, channels, height, width] → `logits` [batch, outputs]. Blocks: `stem`,
 * `blocks.0`, …, `head`; the parameter names are those of the timm library.
 *
 * Initialized as PyTorch's Linear, and the head with zeros, as in the authors' code.
 *
 * @throws SettingError for an unknown option, with the nearest one, and a wrong value; also when the input is no image [channels, height, width], patches do not divide it, or a size is no whole number from 1
 */
export function mlpMixer(options: MlpMixerOptions): Graph {
  checkModel("mlp-mixer", ownOptions, options);
  const { patch = 4, layers = 4, width = 128, outputs } = options;
  const { tokenMlp = Math.ceil(width / 2), channelMlp = 4 * width } = options;
  checkSizes("mlp-mixer", { patch, layers, width, tokenMlp, channelMlp });
  imageShape("mlp-mixer", options);
  const network = startNetwork("mlp-mixer", options, furtherRules);
  const { g } = network;
  let x = g.block("stem", () => embedding(network, patch, width));
  for (let layer = 0; layer < layers; layer++) {
    const name = `blocks.${layer}`;
    x = g.block(name, () => {
      const columns = swapLast(layerNorm(network, x, `${name}.norm1`, epsilon));
      const y = g.add(x, swapLast(perceptron(network, columns, `${name}.mlp_tokens`, tokenMlp)));
      const rows = layerNorm(network, y, `${name}.norm2`, epsilon);
      return g.add(y, perceptron(network, rows, `${name}.mlp_channels`, channelMlp));
    });
  }
  const logits = g.block("head", () => {
    const mean = g.reduceMean(layerNorm(network, x, "norm", epsilon), [1], { keepdims: 0 });
    return linear(network, mean, "head", outputs, { weight: constant(0), bias: constant(0) });
  });
  return finishNetwork(network, logits);

  function swapLast(value: Value): Value {
    return g.transpose(value, { perm: [0, 2, 1] });
  }
}

/** Images → tokens [batch, patches, width]. */
function embedding(network: Network, size: number, width: number): Value {
  const { g, parameter } = network;
  const x = normalizedInput(network);
  const rows = patches(network, x, size, "mlp-mixer");
  const fanIn = rows.shape.at(-1) as number;
  const key = network.layerKey();
  const shape = [width, x.shape[1] as number, size, size];
  const weight = parameter("stem.proj.weight", shape, scaledUniform(fanIn), fold(key, layerStreams.weight));
  const bias = parameter("stem.proj.bias", [width], scaledUniform(fanIn), fold(key, layerStreams.bias));
  return affine(network, rows, g.reshape(weight, [width, fanIn]), bias);
}

/** Linear, GELU, Linear along the last axis. */
function perceptron(network: Network, x: Value, name: string, hidden: number): Value {
  const inner = network.g.gelu(linear(network, x, `${name}.fc1`, hidden));
  return linear(network, inner, `${name}.fc2`, x.shape.at(-1) as number);
}
