import type { Value } from "../onnx/graph.ts";
import { fold } from "../random/threefry.ts";
import { type Fill, scaledUniform } from "./initial.ts";
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
