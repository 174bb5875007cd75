/** Vision Transformer. */
import { SettingError } from "../errors/errors.ts";
import type { Graph, Value } from "../onnx/graph.ts";
import { furtherRules } from "../ops/catalogue.ts";
import { layerStreams } from "../random/streams.ts";
import { fold } from "../random/threefry.ts";
import { constant, glorotUniform, normal, scaledUniform } from "./initial.ts";
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
  heads: size,
  width: size,
  mlp: size,
};

/** Options of `vit`. */
export interface VitOptions extends ModelOptions {
  /** Side of the square patches. Default 4. */
  readonly patch?: number;
  /** Number of encoder layers. Default 6. */
  readonly layers?: number;
  /** Attention heads; they share the width. Default 4. */
  readonly heads?: number;
  /** Size of a token. Default 256. */
  readonly width?: number;
  /** Width of the hidden layer of each encoder layer's perceptron. Default 2 · width. */
  readonly mlp?: number;
}

// As in torchvision.
const epsilon = 1e-6;

/**
 * A vision transformer (Dosovitskiy et al., ICLR 2021, arXiv 2010.11929) as torchvision's VisionTransformer, parameter
 * names included: class token, learned position embedding, normalization before attention and perceptron, GELU, biases
 * everywhere, a last normalization, and a linear head on the class token. Input [batch, channels, height, width] →
 * `logits` [batch, outputs]. Blocks: `embedding`, `encoder_layer_0`, …, `head`.
 *
 * Initialized as there: patch projection normal with variance 1/fanIn, position embedding normal(0.02), attention input
 * and perceptron Glorot-uniform, attention output as Linear; class token, head and all biases but the perceptron's (1e-6)
 * zero.
 *
 * @throws SettingError for an unknown option, with the nearest one, and a wrong value; also when the input is no image [channels, height, width], patches do not divide it, heads do not divide the width, or a size is no whole number from 1
 */
export function vit(options: VitOptions): Graph {
  checkModel("vit", ownOptions, options);
  const { patch = 4, layers = 6, heads = 4, width = 256, outputs } = options;
  const { mlp = 2 * width } = options;
  checkSizes("vit", { patch, layers, heads, width, mlp });
  imageShape("vit", options);
  if (width % heads !== 0) {
    throw new SettingError(
      `vit: ${heads} heads cannot share a width of ${width}; the width must be a multiple of the heads.`,
      { option: "vit.width" },
    );
  }
  const network = startNetwork("vit", options, furtherRules);
  const { g } = network;
  let x = g.block("embedding", () => embedding(network, patch, width));
  for (let layer = 0; layer < layers; layer++) {
    const name = `encoder.layers.encoder_layer_${layer}`;
    x = g.block(`encoder_layer_${layer}`, () => {
      const y = g.add(x, attention(network, layerNorm(network, x, `${name}.ln_1`, epsilon), name, heads));
      return g.add(
        y,
        perceptron(network, layerNorm(network, y, `${name}.ln_2`, epsilon), `${name}.mlp`, mlp),
      );
    });
  }
  const logits = g.block("head", () => {
    const token = g.squeeze(g.slice(x, [0], [1], [1]), [1]);
    const zero = { weight: constant(0), bias: constant(0) };
    return linear(network, layerNorm(network, token, "encoder.ln", epsilon), "heads.head", outputs, zero);
  });
  return finishNetwork(network, logits);
}

/** Images → tokens [batch, 1 + patches, width], the class token first. */
function embedding(network: Network, size: number, width: number): Value {
  const { g, parameter } = network;
  const x = normalizedInput(network);
  const channels = x.shape[1] as number;
  const rows = patches(network, x, size, "vit");
  const [count, fanIn] = rows.shape.slice(1) as [number, number];
  const key = network.layerKey();
  const token = parameter("class_token", [1, 1, width], constant(0), key);
  const weight = parameter(
    "conv_proj.weight",
    [width, channels, size, size],
    normal(1 / Math.sqrt(fanIn)),
    fold(key, layerStreams.weight),
  );
  const bias = parameter("conv_proj.bias", [width], constant(0), key);
  const position = parameter(
    "encoder.pos_embedding",
    [1, count + 1, width],
    normal(0.02),
    fold(key, layerStreams.position),
  );
  // A patch of zeros makes room for the class token, so that one sum adds it, the bias and the positions.
  const padded = g.concat(g.mul(g.slice(rows, [0], [1], [1]), 0), rows, { axis: 1 });
  const projected = g.matMul(padded, g.transpose(g.reshape(weight, [width, fanIn]), { perm: [1, 0] }));
  const offsets = g.add(g.concat(token, g.expand(bias, [1, count, width]), { axis: 1 }), position);
  return g.add(projected, offsets);
}

/** Multi-head self-attention: softmax(q·kᵀ/√(width of a head))·v for each head, then a linear layer. */
function attention(network: Network, x: Value, name: string, heads: number): Value {
  const { g, parameter } = network;
  const [tokens, width] = x.shape.slice(1) as [number, number];
  const size = width / heads;
  const key = network.layerKey();
  const weight = parameter(
    `${name}.self_attention.in_proj_weight`,
    [3 * width, width],
    glorotUniform(width, 3 * width),
    fold(key, layerStreams.weight),
  );
  const bias = parameter(`${name}.self_attention.in_proj_bias`, [3 * width], constant(0), key);
  const parts = g.split(affine(network, x, weight, bias), { axis: -1, num_outputs: 3 });
  const [query, keys, values] = parts.map((part) => g.reshape(part, [0, tokens, heads, size])) as [
    Value,
    Value,
    Value,
  ];
  const scaled = g.mul(g.transpose(query, { perm: [0, 2, 1, 3] }), 1 / Math.sqrt(size));
  const weights = g.softmax(g.matMul(scaled, g.transpose(keys, { perm: [0, 2, 3, 1] }))); // [batch, heads, tokens, tokens]
  const mixed = g.matMul(weights, g.transpose(values, { perm: [0, 2, 1, 3] }));
  const joined = g.reshape(g.transpose(mixed, { perm: [0, 2, 1, 3] }), [0, tokens, width]);
  return linear(network, joined, `${name}.self_attention.out_proj`, width, {
    weight: scaledUniform(width),
    bias: constant(0),
  });
}

/** Linear, GELU, Linear. */
function perceptron(network: Network, x: Value, name: string, hidden: number): Value {
  const width = x.shape.at(-1) as number;
  const initial = { weight: glorotUniform(width, hidden), bias: normal(1e-6) };
  const inner = network.g.gelu(linear(network, x, `${name}.0`, hidden, initial));
  return linear(network, inner, `${name}.3`, width, initial);
}
