import type { Graph, Value } from "../onnx/graph.ts";
import { float32 } from "../onnx/tensor.ts";
import { GraphBuilder } from "../ops/builder.ts";
import { fold, type Key, keyFromSeed } from "../random/threefry.ts";
import { fillUniform } from "../random/uniform.ts";
import { denormalize, type Normalization, normalize } from "./normalization.ts";

/** Nonlinearities between layers, by name. */
export const activations = {
  relu: (g, x) => g.relu(x),
  tanh: (g, x) => g.tanh(x),
  sigmoid: (g, x) => g.sigmoid(x),
  "leaky-relu": (g, x) => g.leakyRelu(x),
  elu: (g, x) => g.elu(x),
  softplus: (g, x) => g.softplus(x),
  gelu: (g, x) => g.gelu(x),
  "gelu-tanh": (g, x) => g.gelu(x, { approximate: "tanh" }),
  none: (_, x) => x,
} satisfies Record<string, (g: GraphBuilder, x: Value) => Value>;

export type ActivationName = keyof typeof activations;

export interface MlpOptions {
  /** Shape of one example, for example [1, 28, 28]. */
  readonly input: readonly number[];
  /** Widths of the hidden layers. Default [256, 256]. */
  readonly hidden?: readonly number[];
  /** Number of outputs. */
  readonly outputs: number;
  /** Default relu. */
  readonly activation?: ActivationName;
  /** Subtracted from and divided into the raw inputs, inside the model. Default: none. */
  readonly normalization?: Normalization;
  /** Of the targets of a regression: the model's outputs are in their units. Default: none. */
  readonly targetNormalization?: Normalization;
  readonly seed?: number;
  /** Batch size of the graph's static shapes; the file that `encodeModelFile` writes takes any. Default 1. */
  readonly batch?: number;
}

/**
 * A fully connected network: input [batch, ...input] float32 → `logits` [batch, outputs], with the parameters
 * `layer1.weight` [out, in] and `layer1.bias` [out], …
 *
 * Initialized as PyTorch's Linear: weights and biases uniform in ±1/√in.
 */
export function mlp(options: MlpOptions): Graph {
  const {
    input,
    hidden = [256, 256],
    outputs,
    activation = "relu",
    normalization,
    targetNormalization,
    seed = 0,
    batch = 1,
  } = options;
  const sizes = [input.reduce((product, size) => product * size, 1), ...hidden, outputs];
  if (sizes.some((size) => !Number.isInteger(size) || size < 1)) {
    throw new Error(`mlp: layer sizes must be whole numbers from 1, received ${sizes.join("-")}.`);
  }
  const count = sizes
    .slice(1)
    .reduce((total, width, index) => total + width * ((sizes[index] as number) + 1), 0);
  if (count > largestModel) {
    throw new Error(
      `mlp: layers of sizes ${sizes.join("-")} have ${count.toLocaleString("en")} parameters; an ONNX file holds at most ` +
        `${largestModel.toLocaleString("en")} of them (2 GiB). Use narrower layers.`,
    );
  }
  const g = new GraphBuilder(`mlp-${sizes.join("-")}`);
  const key = fold(keyFromSeed(seed), initializationStream);
  let x: Value = g.input("input", "float32", [batch, ...input]);
  if (normalization) x = normalize(g, x, normalization);
  if (input.length > 1) x = g.flatten(x);
  for (const [index, width] of sizes.slice(1).entries()) {
    const name = `layer${index + 1}`;
    const fanIn = sizes[index] as number;
    const layerKey = fold(key, index);
    const weight = g.parameter(
      `${name}.weight`,
      uniform([width, fanIn], 1 / Math.sqrt(fanIn), fold(layerKey, 0)),
    );
    const bias = g.parameter(`${name}.bias`, uniform([width], 1 / Math.sqrt(fanIn), fold(layerKey, 1)));
    x = g.node("Gemm", [x, weight, bias], { transB: 1 }, { name })[0] as Value;
    if (index + 2 < sizes.length) x = activations[activation](g, x);
  }
  return g.build({ logits: targetNormalization ? denormalize(g, x, targetNormalization) : x });
}

// Protobuf messages end at 2 GiB.
const largestModel = 2 ** 29 - 1;

// Keeps the initial parameters apart from every other use of the same seed.
const initializationStream = 1;

/** Uniform in ±bound. */
export function uniform(shape: readonly number[], bound: number, key: Key) {
  const data = new Float32Array(shape.reduce((product, size) => product * size, 1));
  fillUniform(key, 0, data);
  for (let place = 0; place < data.length; place++) data[place] = (2 * (data[place] as number) - 1) * bound;
  return float32(data, shape);
}
