/** Samples of the ops in products/quantized.ts; rounded ones have integer results, whose derivatives differences do not tell. */
import { int } from "../../../onnx/graph.ts";
import { float32, int64, tensorOf } from "../../../onnx/tensor.ts";
import { inFloat32, positive, samplesOf, x } from "../sample.ts";

const bytes = (count: number, shape: readonly number[]) =>
  tensorOf(
    "uint8",
    Array.from({ length: count }, (_, index) => (index * 37 + 11) % 256),
    shape,
  );
const int8 = (values: readonly number[], shape: readonly number[]) => tensorOf("int8", values, shape);
const scales = (count: number, shape: readonly number[]) =>
  float32(
    Array.from({ length: count }, (_, index) => 0.02 + 0.003 * (index % 5)),
    shape,
  );
const packed = { K: int(32), N: int(3), bits: int(4), block_size: int(16) };

export const quantized = samplesOf({
  QuantizeLinear: inFloat32([
    { inputs: [x([2, 3]), scales(1, [])] },
    { inputs: [x([2, 3]), scales(3, [3]), int8([0, 1, -2], [3])], attributes: { axis: int(1) } },
  ]),
  DequantizeLinear: inFloat32([
    { inputs: [int8([1, -2, 3, 4, 5, -6], [2, 3]), scales(1, [])] },
    {
      inputs: [int8([1, -2, 3, 4, 5, -6], [2, 3]), scales(2, [2]), int8([0, 1], [2])],
      attributes: { axis: int(0) },
    },
    { inputs: [bytes(8, [2, 4]), scales(4, [2, 2])], attributes: { axis: int(1), block_size: int(2) } },
    { inputs: [int8([1, -2, 3, 4, 5, -6], [2, 3]), positive([])] },
    {
      inputs: [int8([1, -2, 3, 4, 5, -6], [2, 3]), positive([2]), int8([0, 1], [2])],
      attributes: { axis: int(0) },
    },
    {
      inputs: [bytes(12, [2, 3, 2]), positive([2, 2, 2]), bytes(8, [2, 2, 2])],
      attributes: { axis: int(1), block_size: int(2) },
    },
  ]),
  DynamicQuantizeLinear: inFloat32([{ inputs: [float32([1, 2, -3, 0.5], [2, 2])], outputs: 3 }]),
  ConvInteger: inFloat32([
    {
      inputs: [
        bytes(32, [1, 2, 4, 4]),
        bytes(16, [2, 2, 2, 2]),
        tensorOf("uint8", [3], []),
        tensorOf("uint8", [7], []),
      ],
    },
  ]),
  MatMulInteger: inFloat32([
    { inputs: [bytes(6, [2, 3]), int8([1, -2, 3, 4, 5, -6], [3, 2])] },
    {
      inputs: [
        bytes(6, [2, 3]),
        bytes(6, [3, 2]),
        tensorOf("uint8", [3], []),
        tensorOf("uint8", [1, 2], [2]),
      ],
    },
  ]),
  MatMulNBits: inFloat32([
    { inputs: [x([2, 32]), bytes(48, [3, 2, 8]), scales(6, [6])], attributes: packed },
    {
      inputs: [x([2, 2, 32]), bytes(48, [3, 2, 8]), scales(6, [3, 2]), bytes(3, [3])],
      attributes: packed,
    },
    // Columns that fill no block, and numbers of 8 bits.
    {
      inputs: [x([2, 40]), bytes(96, [2, 3, 16]), scales(6, [6])],
      attributes: { ...packed, K: int(40), N: int(2), bits: int(8) },
    },
    { inputs: [x([2, 2, 32]), bytes(48, [3, 2, 8]), positive([6]), x([6])], attributes: packed },
  ]),
  GatherBlockQuantized: inFloat32([
    {
      inputs: [bytes(32, [4, 8]), int64([0, 3, 1], [3]), scales(4, [4, 1])],
      attributes: { bits: int(4), block_size: int(16), quantize_axis: int(1) },
    },
    {
      inputs: [bytes(64, [4, 16]), int64([3, 0], [2]), positive([4, 2]), bytes(4, [4, 1])],
      attributes: { bits: int(4), block_size: int(16), quantize_axis: int(1) },
    },
  ]),
});
