/** Samples of the ops in products/conv.ts. */
import { int, ints, string } from "../../../onnx/graph.ts";
import { inFloat32, samplesOf, x } from "../sample.ts";

// ONNX Runtime has float32 kernels only; test/goldens/conv.py has PyTorch's derivatives in float64.
export const conv = samplesOf({
  Conv: inFloat32([
    { inputs: [x([2, 3, 5, 4]), x([4, 3, 3, 2]), x([4])] },
    { inputs: [x([1, 1, 3, 3]), x([1, 1, 3, 3])], attributes: { kernel_shape: ints([3, 3]) } },
    { inputs: [x([2, 3, 4, 4]), x([4, 3, 1, 1]), x([4])] },
    // Asymmetric padding; strides that leave places at the end uncovered
    {
      inputs: [x([2, 3, 7, 8]), x([2, 3, 3, 2])],
      attributes: { pads: ints([1, 0, 2, 1]), strides: ints([2, 3]) },
    },
    { inputs: [x([1, 2, 8, 8]), x([2, 2, 2, 2])], attributes: { strides: ints([3, 4]) } },
    { inputs: [x([1, 2, 6, 6]), x([2, 2, 1, 1])], attributes: { strides: ints([2, 2]) } },
    {
      inputs: [x([2, 2, 9, 8]), x([3, 2, 3, 2]), x([3])],
      attributes: { dilations: ints([2, 3]), pads: ints([1, 2, 1, 2]) },
    },
    // Strides and dilations at once: the uncovered places are as many as a dilation
    {
      inputs: [x([1, 2, 10, 9]), x([2, 2, 2, 3])],
      attributes: { dilations: ints([2, 1]), strides: ints([5, 3]) },
    },
    // Few positions of many examples; kernels that slide backwards
    { inputs: [x([16, 2, 3, 3]), x([3, 2, 3, 3]), x([3])], attributes: { pads: ints([1, 1, 1, 1]) } },
    {
      inputs: [x([16, 2, 4, 5]), x([2, 2, 3, 2])],
      attributes: { strides: ints([2, 3]), pads: ints([1, 0, 2, 1]) },
    },
    { inputs: [x([16, 1, 4, 4]), x([2, 1, 2, 2])], attributes: { dilations: ints([2, 1]) } },
    // Taps that meet nothing but padding
    { inputs: [x([16, 3, 1, 1]), x([2, 3, 3, 3]), x([2])], attributes: { pads: ints([1, 1, 1, 1]) } },
    {
      inputs: [x([16, 2, 2, 1]), x([3, 2, 3, 5])],
      attributes: { strides: ints([2, 1]), pads: ints([1, 2, 1, 2]) },
    },
    {
      inputs: [x([16, 2, 2, 2]), x([3, 2, 2, 2])],
      attributes: { dilations: ints([3, 2]), pads: ints([2, 1, 1, 1]) },
    },
    { inputs: [x([1, 16, 9, 8]), x([2, 16, 2, 3])], attributes: { pads: ints([0, 1, 1, 1]) } },
    // Groups and depthwise
    {
      inputs: [x([2, 4, 5, 5]), x([6, 2, 3, 3]), x([6])],
      attributes: { group: int(2), pads: ints([1, 1, 1, 1]) },
    },
    { inputs: [x([2, 3, 5, 5]), x([3, 1, 3, 3]), x([3])], attributes: { group: int(3) } },
    { inputs: [x([2, 2, 5, 6]), x([4, 1, 2, 3])], attributes: { group: int(2), strides: ints([2, 2]) } },
    { inputs: [x([2, 3, 6, 6]), x([2, 3, 3, 3])], attributes: { auto_pad: string("SAME_UPPER") } },
    {
      inputs: [x([1, 2, 6, 7]), x([2, 2, 2, 4]), x([2])],
      attributes: { auto_pad: string("SAME_LOWER"), strides: ints([1, 2]) },
    },
    {
      inputs: [x([1, 2, 6, 7]), x([2, 2, 2, 4])],
      attributes: { auto_pad: string("SAME_UPPER"), strides: ints([3, 2]) },
    },
    {
      inputs: [x([1, 2, 5, 5]), x([2, 2, 2, 2])],
      attributes: { auto_pad: string("VALID"), strides: ints([2, 2]) },
    },
    { inputs: [x([2, 3, 9]), x([4, 3, 3]), x([4])], attributes: { pads: ints([2, 1]), strides: ints([2]) } },
    { inputs: [x([2, 4, 9]), x([4, 2, 3])], attributes: { group: int(2), dilations: ints([2]) } },
    {
      inputs: [x([1, 2, 4, 5, 4]), x([3, 2, 2, 3, 2]), x([3])],
      attributes: { pads: ints([0, 1, 1, 1, 0, 0]), strides: ints([1, 2, 2]) },
    },
    {
      inputs: [x([2, 4, 3, 4, 3]), x([4, 2, 2, 2, 2])],
      attributes: { group: int(2), dilations: ints([1, 2, 1]) },
    },
  ]),
  ConvTranspose: inFloat32([
    { inputs: [x([2, 3, 4, 3]), x([3, 2, 3, 2]), x([2])] },
    {
      inputs: [x([1, 3, 4, 3]), x([3, 2, 3, 3]), x([2])],
      attributes: { strides: ints([2, 3]), pads: ints([1, 0, 0, 2]), output_padding: ints([1, 2]) },
    },
    {
      inputs: [x([2, 4, 3, 3]), x([4, 3, 2, 3]), x([6])],
      attributes: { group: int(2), dilations: ints([2, 1]), strides: ints([1, 2]) },
    },
    { inputs: [x([2, 3, 3, 3]), x([3, 1, 3, 3])], attributes: { group: int(3), pads: ints([1, 1, 1, 1]) } },
    {
      inputs: [x([1, 2, 3, 4]), x([2, 2, 3, 3])],
      attributes: { strides: ints([2, 2]), auto_pad: string("SAME_UPPER") },
    },
    {
      inputs: [x([1, 2, 3, 4]), x([2, 2, 3, 4])],
      attributes: { strides: ints([2, 1]), auto_pad: string("SAME_LOWER") },
    },
    { inputs: [x([1, 2, 3, 4]), x([2, 2, 3, 3])], attributes: { auto_pad: string("VALID") } },
    {
      inputs: [x([1, 2, 3, 3]), x([2, 2, 3, 3])],
      attributes: { strides: ints([3, 2]), output_shape: ints([8, 6]) },
    },
    {
      inputs: [x([1, 2, 3, 3]), x([2, 2, 3, 3])],
      attributes: { strides: ints([3, 2]), output_shape: ints([8, 8]), auto_pad: string("SAME_UPPER") },
    },
    { inputs: [x([2, 3, 5]), x([3, 4, 3]), x([4])], attributes: { strides: ints([2]), pads: ints([0, 1]) } },
    {
      inputs: [x([1, 2, 2, 3, 2]), x([2, 2, 2, 2, 3])],
      attributes: { strides: ints([2, 1, 2]), pads: ints([0, 1, 0, 0, 0, 1]) },
    },
  ]),
});
