/** What a sample of an op is, and the common ones. */
import type { Attribute } from "../../onnx/graph.ts";
import { type DType, type Tensor, tensorOf } from "../../onnx/tensor.ts";

/** Inputs on which an op's rules are checked. */
export interface Sample {
  readonly inputs: readonly (SampleInput | Tensor | undefined)[];
  readonly attributes?: Readonly<Record<string, Attribute>>;
  readonly outputs?: number;
  /** The opset whose form of the op this is, where it is an older one. */
  readonly opset?: number;
  /** Where onnxruntime-node has no float64 kernel, PyTorch goldens (test/goldens/ops.py) stand beside the differences. */
  readonly dtype?: "float32";
}

/** A float input with values spread over a range, kept away from points where the op has no derivative. */
export interface SampleInput {
  readonly range: readonly [low: number, high: number];
  readonly shape: readonly number[];
}

/** The samples of one family of ops, by op. */
export const samplesOf = <Name extends string>(family: Readonly<Record<Name, readonly Sample[]>>) => family;

export const x = (shape: readonly number[], low = -2, high = 2): SampleInput => ({
  range: [low, high],
  shape,
});

export const positive = (shape: readonly number[]) => x(shape, 0.5, 3);

export const bools = (values: readonly number[], shape: readonly number[]) =>
  tensorOf("bool" as DType, values, shape);

export const unary: readonly Sample[] = [
  { inputs: [x([2, 3])] },
  { inputs: [x([])] },
  { inputs: [x([0, 3])] },
];

export const unaryPositive: readonly Sample[] = [{ inputs: [positive([2, 3])] }, { inputs: [positive([])] }];

export const binary: readonly Sample[] = [
  { inputs: [x([2, 3]), x([2, 3])] },
  { inputs: [x([2, 3]), x([3])] },
  { inputs: [x([4, 1, 3]), x([2, 1])] },
  { inputs: [x([]), x([2, 2])] },
];

/** The samples in float32, for ops without a float64 kernel. */
export const inFloat32 = (samples: readonly Sample[]): Sample[] =>
  samples.map((sample) => ({ ...sample, dtype: "float32" }));
