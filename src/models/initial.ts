/** How parameters begin. */
import { fillNormal } from "../random/normal.ts";
import type { Key } from "../random/threefry.ts";
import { fillUniform } from "../random/uniform.ts";

/** Writes a parameter's first values, drawn from a stream of the seed. */
export type Fill = (key: Key, data: Float32Array) => void;

/** Uniform in ±bound. */
export function uniform(bound: number): Fill {
  return (key, data) => {
    fillUniform(key, 0, data);
    for (let index = 0; index < data.length; index++) data[index] = (2 * (data[index] as number) - 1) * bound;
  };
}

/**
 * PyTorch's default for the weights and biases of Linear and Conv, ±1/√fanIn: its kaiming_uniform with a = √5 has the
 * gain √(2 / (1 + 5)) and the bound √3 · gain / √fanIn.
 */
export function scaledUniform(fanIn: number): Fill {
  return uniform(1 / Math.sqrt(fanIn));
}

/** Uniform in ±√(6 / (fanIn + fanOut)) (Glorot & Bengio, AISTATS 2010, eq. 16). */
export function glorotUniform(fanIn: number, fanOut: number): Fill {
  return uniform(Math.sqrt(6 / (fanIn + fanOut)));
}

/**
 * Normal with variance 2 / fanOut: PyTorch's kaiming_normal for ReLU with mode fan_out, as torchvision's ResNets use it
 * (He et al., ICCV 2015, eq. 14).
 */
export function heNormal(fanOut: number): Fill {
  return normal(Math.sqrt(2 / fanOut));
}

/** Normal with mean 0. */
export function normal(standardDeviation: number): Fill {
  return (key, data) => fillNormal(key, 0, data, standardDeviation);
}

/** The same number everywhere. */
export function constant(value: number): Fill {
  return (_, data) => data.fill(value);
}
