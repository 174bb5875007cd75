/** The layers that models are built of. */
import { SettingError } from "../errors/errors.ts";
import type { Value } from "../onnx/graph.ts";
import { float32 } from "../onnx/tensor.ts";
import { layerStreams } from "../random/streams.ts";
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
    fold(key, layerStreams.weight),
  );
  const bias = network.parameter(
    `${name}.bias`,
    [width],
    initial.bias ?? scaledUniform(fanIn),
    fold(key, layerStreams.bias),
  );
  return affine(network, x, weight, bias);
}

/** x·Wᵀ + b for the weight [out, in]. */
export function affine({ g }: Network, x: Value, weight: Value, bias: Value): Value {
  if (x.shape.length === 2) return g.gemm(x, weight, bias, { transB: 1 });
  return g.add(g.matMul(x, g.transpose(weight, { perm: [1, 0] })), bias);
}

/** A square window that moves over both image axes. */
export interface Windows {
  readonly kernel: number;
  /** Default 1. */
  readonly stride?: number;
  /** Zeros added at each edge. Default 0. */
  readonly padding?: number;
}

/**
 * x [batch, in, height, width] → [batch, channels, …], with `<name>.weight` [channels, in, kernel, kernel] and, unless
 * `bias` is false, `<name>.bias` [channels].
 */
export function convolution(
  network: Network,
  x: Value,
  name: string,
  channels: number,
  windows: Windows,
  initial: { readonly weight?: Fill; readonly bias?: Fill | false } = {},
): Value {
  const { kernel } = windows;
  const before = x.shape[1] as number;
  const key = network.layerKey();
  const fill = scaledUniform(before * kernel * kernel);
  const shape = [channels, before, kernel, kernel];
  const weight = network.parameter(
    `${name}.weight`,
    shape,
    initial.weight ?? fill,
    fold(key, layerStreams.weight),
  );
  const bias =
    initial.bias === false
      ? undefined
      : network.parameter(`${name}.bias`, [channels], initial.bias ?? fill, fold(key, layerStreams.bias));
  return network.g.conv(x, weight, bias, windowsAttributes(windows));
}

/** The largest or the mean of each window; zeros in the padding count for the mean, as in PyTorch. */
export function pool({ g }: Network, x: Value, mode: PoolMode, windows: Windows): Value {
  const attributes = windowsAttributes(windows);
  return mode === "max"
    ? g.maxPool(x, attributes)
    : g.averagePool(x, { ...attributes, count_include_pad: 1 });
}

export type PoolMode = "max" | "average";

function windowsAttributes({ kernel, stride = 1, padding = 0 }: Windows) {
  return {
    kernel_shape: [kernel, kernel],
    strides: [stride, stride],
    pads: [padding, padding, padding, padding],
  };
}

/**
 * Each channel of x [batch, channels, …] standardized by statistics that are not trained, `<name>.running_mean` (zeros)
 * and `<name>.running_var` (ones), then scaled by `<name>.weight` (ones) and shifted by `<name>.bias` (zeros).
 */
export function batchNorm(network: Network, x: Value, name: string): Value {
  const channels = x.shape[1] as number;
  const [weight, bias] = scaleAndShift(network, name, channels);
  const statistic = (suffix: string, value: number) =>
    network.g.buffer(`${name}.${suffix}`, float32(new Float32Array(channels).fill(value)));
  return network.g.batchNormalization(
    x,
    weight,
    bias,
    statistic("running_mean", 0),
    statistic("running_var", 1),
  );
}

/**
 * Each example's groups of channels standardized by their own statistics, then scaled by `<name>.weight` (ones) and
 * shifted by `<name>.bias` (zeros), both [channels].
 */
export function groupNorm(network: Network, x: Value, name: string, groups: number): Value {
  const [weight, bias] = scaleAndShift(network, name, x.shape[1] as number);
  return network.g.groupNormalization(x, weight, bias, { num_groups: groups });
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
    throw new SettingError(
      `${model}: patches of ${size}×${size} do not tile images of ${height}×${width}; choose a patch size that divides both.`,
      { option: `${model}.patch` },
    );
  }
  const [rows, columns] = [height / size, width / size];
  // A 0 keeps the batch axis open.
  const cut = g.reshape(x, [0, channels, rows, size, columns, size]);
  const ordered = g.transpose(cut, { perm: [0, 2, 4, 1, 3, 5] });
  return g.reshape(ordered, [0, rows * columns, channels * size * size]);
}
