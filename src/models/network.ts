/** What all models have in common: options, input, keys, output. */
import { SettingError } from "../errors/errors.ts";
import type { Graph, Value } from "../onnx/graph.ts";
import { elementCount, float32 } from "../onnx/tensor.ts";
import { GraphBuilder } from "../ops/builder.ts";
import type { FurtherOps } from "../ops/find-op.ts";
import { streamKey } from "../random/streams.ts";
import { fold, type Key } from "../random/threefry.ts";
import type { Fill } from "./initial.ts";
import { denormalize, type Normalization, normalize } from "./normalization.ts";

/** What every model takes. */
export interface ModelOptions {
  /** Shape of one example, for example [1, 28, 28]. */
  readonly input: readonly number[];
  /** Number of outputs. */
  readonly outputs: number;
  /** Subtracted from and divided into the raw inputs, inside the model: one number, or one a channel. Default: none. */
  readonly normalization?: Normalization;
  /** Of the targets of a regression: the model's outputs are in their units. Default: none. */
  readonly targetNormalization?: Normalization;
  /** Decides the initial parameters. Default 0. */
  readonly seed?: number;
  /** Batch size of the graph's static shapes; the file that `encodeModelFile` writes takes any. Default 1. */
  readonly batch?: number;
}

/** A network under construction. */
export interface Network {
  readonly g: GraphBuilder;
  /** The raw input `input`, [batch, ...shape of one example] float32. */
  readonly input: Value;
  readonly options: ModelOptions;
  /** Declares a parameter; layers pass a key of their own. */
  parameter(name: string, shape: readonly number[], fill: Fill, key: Key): Value;
  /** The key of the next layer: layers read streams of the seed in the order in which they are made. */
  layerKey(): Key;
}

/** Starts a network with its input; `further` are the rules of its ops beyond the everyday ones. */
export function startNetwork(name: string, options: ModelOptions, further?: FurtherOps): Network {
  const { input, outputs, seed = 0, batch = 1 } = options;
  checkSizes(name, { input, outputs, batch });
  const g = new GraphBuilder(name, undefined, further);
  const key = streamKey(seed, "initialization");
  let layers = 0;
  let count = 0;
  return {
    g,
    input: g.input("input", "float32", [batch, ...input]),
    options,
    parameter(parameterName, shape, fill, layerKey) {
      const size = elementCount(shape);
      count += size;
      if (count > largestModel)
        throw new SettingError(tooLarge(name, `'${parameterName}' makes it`, count), { option: name });
      const data = new Float32Array(size);
      fill(layerKey, data);
      return g.parameter(parameterName, float32(data, shape));
    },
    layerKey: () => fold(key, layers++),
  };
}

/** The input, normalized as the options say; call it inside the network's first block. */
export function normalizedInput({ g, input, options: { normalization } }: Network): Value {
  return normalization ? normalize(g, input, normalization) : input;
}

/** The finished graph: its output `logits`, in the units of the targets where the options give them. */
export function finishNetwork({ g, options: { targetNormalization } }: Network, logits: Value): Graph {
  return g.build({ logits: targetNormalization ? denormalize(g, logits, targetNormalization) : logits });
}

/**
 * The sizes of an image input.
 *
 * @throws when one example's shape is not [channels, height, width]
 */
export function imageShape(name: string, options: ModelOptions) {
  const [channels, height, width, ...others] = options.input;
  if (channels === undefined || height === undefined || width === undefined || others.length > 0) {
    throw new SettingError(
      `${name}: examples must have the shape [channels, height, width], received [${options.input.join(", ")}]; ` +
        "use image data, or the model mlp.",
      { option: `${name}.input` },
    );
  }
  return { channels, height, width };
}

/** @throws when a size is no whole number from 1 */
export function checkSizes(name: string, sizes: Readonly<Record<string, number | readonly number[]>>): void {
  for (const [what, value] of Object.entries(sizes)) {
    const list = typeof value === "number" ? [value] : value;
    if (list.length > 0 && list.every((size) => Number.isInteger(size) && size >= 1)) continue;
    throw new SettingError(
      `${name}: ${what} must be whole numbers from 1, received ${JSON.stringify(value)}.`,
      { option: `${name}.${what}` },
    );
  }
}

/** The message for a model that no ONNX file can hold. */
export function tooLarge(name: string, what: string, count: number): string {
  return (
    `${name}: ${what} ${count.toLocaleString("en")} parameters; an ONNX file holds at most ` +
    `${largestModel.toLocaleString("en")} of them (2 GiB). Use narrower layers.`
  );
}

// Protobuf messages end at 2 GiB.
export const largestModel = 2 ** 29 - 1;
