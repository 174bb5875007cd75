/** Samples of the ops in runtime-domain/. */
import { type Attribute, float, int, ints, string } from "../../onnx/graph.ts";
import { float32, tensorOf } from "../../onnx/tensor.ts";
import type { RuntimeOpName } from "../runtime-domain/runtime-ops.ts";
import { inFloat32, positive, type Sample, x } from "./sample.ts";

const floats = (value: readonly number[]): Attribute => ({ type: "floats", value });
const int32 = (values: readonly number[], shape: readonly number[]) => tensorOf("int32", values, shape);
const int8 = (values: readonly number[], shape: readonly number[]) => tensorOf("int8", values, shape);
const int64 = (values: readonly number[], shape: readonly number[]) => tensorOf("int64", values, shape);

const transposed: readonly Sample[] = [
  { inputs: [x([2, 3, 4]), x([2, 4, 3])] },
  { inputs: [x([2, 4, 3]), x([5, 4])], attributes: { transA: int(1), transB: int(1), alpha: float(0.5) } },
];

/** Two examples of four tokens, two heads of width 3. Scales are powers of two, because ONNX Runtime moves them into products, in float32 even for float64. */
const heads = [x([2, 4, 6]), x([2, 4, 6]), x([2, 4, 6])];
const table = (columns: number) => x([8, columns], -1, 1);
const lengths = [int32([3, 3], [2]), int32([4], [1])];
const grouped = [x([2, 4, 64]), x([2, 4, 32]), x([2, 4, 32])];
const groups = { num_heads: int(4), kv_num_heads: int(2) };

/** At least one sample for every op of the domain; a test fails where one is missing. */
export const runtimeSamples: Readonly<Record<RuntimeOpName, readonly Sample[]>> = {
  Gelu: inFloat32([{ inputs: [x([2, 3])] }]),
  BiasGelu: inFloat32([{ inputs: [x([2, 3]), x([3])] }]),
  FastGelu: [{ inputs: [x([2, 3])] }, { inputs: [x([2, 3]), x([3], -1, 1)] }],
  QuickGelu: inFloat32([{ inputs: [x([2, 3])] }, { inputs: [x([2, 3])], attributes: { alpha: float(1) } }]),
  FusedMatMul: [
    ...transposed,
    { inputs: [x([3, 2, 4]), x([2, 4, 3])], attributes: { transBatchA: int(1) } },
    {
      inputs: [x([2, 2, 3, 4]), x([5, 2, 2, 4])],
      attributes: { transBatchB: int(1), transB: int(1) },
    },
  ],
  TransposeMatMul: transposed,
  // Rounded numbers: differences do not tell their derivatives.
  DynamicQuantizeMatMul: inFloat32([
    {
      inputs: [
        float32([1, 2, -3, 0.5, 0.25, 7], [2, 3]),
        int8([1, -2, 3, 4, 5, -6], [3, 2]),
        float32([0.25], []),
      ],
    },
    {
      inputs: [
        float32([1, 2, -3, 0.5, 0.25, 7], [1, 2, 3]),
        int8([1, -2, 3, 4, 5, -6], [3, 2]),
        float32([0.25, 0.5], [2]),
        int8([1, -1], [2]),
        float32([3, -3], [2]),
      ],
    },
  ]),
  MatMulIntegerToFloat: inFloat32([
    {
      inputs: [
        int8([1, 2, -3, 5, 0, 7], [2, 3]),
        int8([1, -2, 3, 4, 5, -6], [3, 2]),
        float32([0.5], []),
        float32([0.25, 0.5], [2]),
        int8([2], []),
        int8([1, -1], [2]),
        float32([3, -3], [2]),
      ],
    },
    {
      inputs: [
        tensorOf("uint8", [1, 2, 3, 5, 0, 7], [2, 3]),
        int8([1, -2, 3, 4, 5, -6], [3, 2]),
        float32([0.5], []),
        float32([0.25], []),
      ],
    },
  ]),
  FusedGemm: [
    { inputs: [x([2, 3]), x([3, 4]), x([4])], attributes: { activation: string("Tanh"), beta: float(2) } },
    ...inFloat32([
      {
        inputs: [x([2, 3]), x([4, 3])],
        attributes: { activation: string("LeakyRelu"), activation_alpha: float(0.25), transB: int(1) },
      },
    ]),
  ],
  FusedConv: inFloat32([
    {
      inputs: [x([2, 2, 4, 4]), x([3, 2, 3, 3]), x([3])],
      attributes: { activation: string("Relu"), pads: ints([1, 1, 1, 1]) },
    },
    {
      inputs: [x([1, 2, 4, 3]), x([2, 2, 1, 1]), x([2]), x([1, 2, 4, 3])],
      attributes: { activation: string("Sigmoid") },
    },
    {
      inputs: [x([1, 2, 4, 3]), x([2, 1, 2, 2])],
      attributes: { activation: string("Clip"), activation_params: floats([-0.5, 1.5]), group: int(2) },
    },
  ]),
  DequantizeLinear: inFloat32([
    {
      inputs: [
        tensorOf("int8", [1, -2, 3, 4], [2, 2]),
        tensorOf("float32", [0.1, 0.2], [2]),
        tensorOf("int8", [1, 0], [2]),
      ],
      attributes: { axis: int(0) },
    },
  ]),
  QuantizeLinear: inFloat32([{ inputs: [x([2, 3]), tensorOf("float32", [0.1], [])] }]),
  SkipLayerNormalization: [
    {
      inputs: [x([2, 3, 4]), x([2, 3, 4]), positive([4]), x([4]), x([4])],
      attributes: { epsilon: float(0.01) },
    },
    { inputs: [x([2, 3, 4]), x([3, 4]), positive([4])] },
  ],
  SkipSimplifiedLayerNormalization: [
    { inputs: [x([2, 3, 4]), x([2, 3, 4]), positive([4])], attributes: { epsilon: float(0.01) } },
    { inputs: [x([2, 3, 4]), x([1, 3, 4]), positive([4]), x([4])] },
  ],
  EmbedLayerNormalization: [
    {
      inputs: [
        int32([0, 1, 2, 3, 2, 1], [2, 3]),
        int32([0, 0, 1, 0, 1, 1], [2, 3]),
        ...[x([4, 4]), x([5, 4]), x([2, 4]), positive([4]), x([4])],
        int32([1, 1, 0, 1, 0, 0], [2, 3]),
      ],
      outputs: 2,
    },
    {
      inputs: [
        ...[
          int32([0, 1, 2, 3, 2, 1], [2, 3]),
          undefined,
          x([4, 4]),
          x([5, 4]),
          undefined,
          positive([4]),
          x([4]),
        ],
        ...[undefined, int32([1, 2, 4], [1, 3])],
      ],
      outputs: 3,
    },
  ],
  Attention: [
    { inputs: [x([2, 3, 4]), x([4, 12]), x([12])], attributes: { num_heads: int(2), scale: float(0.5) } },
    // Keys hidden by numbers of tokens, by truth values, and by order.
    {
      inputs: [x([2, 3, 4]), x([4, 12]), x([12]), int32([2, 3], [2])],
      attributes: { num_heads: int(2), unidirectional: int(1), scale: float(0.5) },
      outputs: 2,
    },
    {
      inputs: [x([2, 3, 4]), x([4, 16]), x([16]), int32([1, 0, 1, 1, 1, 0], [2, 3])],
      attributes: { num_heads: int(2), qkv_hidden_sizes: ints([4, 4, 8]), scale: float(1) },
    },
    {
      inputs: [x([1, 2, 4]), x([4, 12]), x([12]), int32([1, 1, 1, 0], [1, 2, 2]), undefined, x([1, 2, 2, 2])],
      attributes: { num_heads: int(2), mask_filter_value: float(-1000), scale: float(2) },
    },
    {
      inputs: [x([2, 3, 4]), x([4, 12]), x([12]), int32([2, 3, 0, 1], [4])],
      attributes: { num_heads: int(1), scale: float(0.5) },
    },
  ],
  MultiHeadAttention: [
    { inputs: heads, attributes: { num_heads: int(2), scale: float(0.5) } },
    {
      inputs: [...heads, x([18]), int32([1, 1, 0, 1, 1, 1, 1, 0], [2, 4]), x([1, 2, 4, 4])],
      attributes: { num_heads: int(2), unidirectional: int(1), scale: float(0.5) },
    },
    // Other keys than queries, in heads already.
    {
      inputs: [x([1, 2, 6]), x([1, 2, 5, 3]), x([1, 2, 5, 3])],
      attributes: { num_heads: int(2), scale: float(0.5) },
    },
    {
      inputs: [...heads, undefined, int32([2, 4], [2])],
      attributes: { num_heads: int(2), scale: float(0.5) },
      outputs: 3,
    },
  ],
  GroupQueryAttention: [
    {
      inputs: [...grouped, undefined, undefined, ...lengths],
      attributes: { ...groups, scale: float(0.25) },
      outputs: 3,
    },
    {
      inputs: [...[...grouped, undefined, undefined, ...lengths, table(8), table(8)]],
      attributes: { ...groups, do_rotary: int(1), scale: float(0.5), softcap: float(2) },
      outputs: 3,
    },
    // Q, K and V side by side, neighbours rotated, a window of three tokens.
    {
      inputs: [x([2, 4, 128]), undefined, undefined, undefined, undefined, ...lengths, table(8), table(8)],
      attributes: {
        ...groups,
        do_rotary: int(1),
        rotary_interleaved: int(1),
        local_window_size: int(3),
        scale: float(0.5),
      },
      outputs: 3,
    },
  ],
  RotaryEmbedding: [
    { inputs: [x([2, 3, 8]), int64([0], [1]), table(2), table(2)] },
    {
      inputs: [x([2, 2, 3, 4]), int64([0, 1, 2, 3, 5, 7], [2, 3]), table(2), table(2)],
      attributes: { interleaved: int(1) },
    },
    {
      inputs: [x([1, 3, 12]), int64([2], [1]), table(1), table(1)],
      attributes: { num_heads: int(2), rotary_embedding_dim: int(2) },
    },
  ],
};
