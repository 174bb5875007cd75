import type { Value } from "../onnx/graph.ts";
import { fold } from "../random/threefry.ts";
import { constant, type Fill, scaledUniform } from "./initial.ts";
import type { Network } from "./network.ts";

/** First values other than the layer type's default in PyTorch. */
export interface Initial {
  readonly weight?: Fill;
  readonly bias?: Fill;
}

/** x [..., in] → x·Wᵀ + b [..., width], with `<name>.weight` [width, in] and `<name>.bias` [width]. */
export function linear(
  network: Network,
  x: Value,
  name: string,
  width: number,
  initial: Initial = {},
): Value {
  const fanIn = x.shape.at(-1) as number;
  const key = network.layerKey();
  const weight = network.parameter(
    `${name}.weight`,
    [width, fanIn],
    initial.weight ?? scaledUniform(fanIn),
    fold(key, 0),
  );
  const bias = network.parameter(`${name}.bias`, [width], initial.bias ?? scaledUniform(fanIn), fold(key, 1));
  return affine(network, x, weight, bias);
}

/** x·Wᵀ + b for the weight [out, in]. */
export function affine({ g }: Network, x: Value, weight: Value, bias: Value): Value {
  if (x.shape.length === 2) return g.gemm(x, weight, bias, { transB: 1 });
  return g.add(g.matMul(x, g.transpose(weight, { perm: [1, 0] })), bias);
}

/** Standardizes the last axis: x [..., width] → [..., width], with `<name>.weight` (ones) and `<name>.bias` (zeros). */
export function layerNorm(network: Network, x: Value, name: string, epsilon: number): Value {
  const [weight, bias] = scaleAndShift(network, name, x.shape.at(-1) as number);
  return network.g.layerNormalization(x, weight, bias, { axis: -1, epsilon });
}

/** `<name>.weight` (ones) and `<name>.bias` (zeros), both [width]. */
function scaleAndShift({ parameter, layerKey }: Network, name: string, width: number): [Value, Value] {
  const key = layerKey();
  return [
    parameter(`${name}.weight`, [width], constant(1), key),
    parameter(`${name}.bias`, [width], constant(0), key),
  ];
}

/**
 * An image cut into patches, one a row: x [batch, channels, height, width] → [batch, patches, channels · size²], the
 * columns in the order of a convolution kernel [channels, size, size].
 *
 * @throws when the sides are no multiples of the patch size
 */
export function patches({ g }: Network, x: Value, size: number, model: string): Value {
  const [channels, height, width] = x.shape.slice(1) as [number, number, number];
  if (height % size !== 0 || width % size !== 0) {
    throw new Error(
      `${model}: patches of ${size}×${size} do not tile images of ${height}×${width}; choose a patch size that divides both.`,
    );
  }
  const [rows, columns] = [height / size, width / size];
  // A 0 keeps the batch axis open.
  const cut = g.reshape(x, [0, channels, rows, size, columns, size]);
  const ordered = g.transpose(cut, { perm: [0, 2, 4, 1, 3, 5] });
  return g.reshape(ordered, [0, rows * columns, channels * size * size]);
}
