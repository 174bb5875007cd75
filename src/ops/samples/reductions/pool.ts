/** Samples of the ops in reductions/pool.ts. */
import { int, ints, string } from "../../../onnx/graph.ts";
import { inFloat32, type Sample, samplesOf, x } from "../sample.ts";

const pairs = { kernel_shape: ints([2, 2]), strides: ints([2, 2]) };

const windows: readonly Sample[] = [
  { inputs: [x([2, 3, 4, 6])], attributes: pairs },
  { inputs: [x([2, 2, 5, 4])], attributes: { kernel_shape: ints([3, 2]) } },
  // Overlapping windows with asymmetric padding; strides that leave places at the end uncovered
  {
    inputs: [x([1, 2, 6, 7])],
    attributes: { kernel_shape: ints([3, 3]), strides: ints([2, 3]), pads: ints([1, 0, 2, 1]) },
  },
  { inputs: [x([1, 2, 8, 8])], attributes: { kernel_shape: ints([2, 1]), strides: ints([3, 4]) } },
  {
    inputs: [x([1, 2, 8, 7])],
    attributes: { kernel_shape: ints([3, 2]), strides: ints([2, 2]), ceil_mode: int(1) },
  },
  {
    inputs: [x([1, 2, 5, 6])],
    attributes: {
      kernel_shape: ints([3, 2]),
      strides: ints([2, 2]),
      pads: ints([1, 1, 1, 1]),
      ceil_mode: int(1),
    },
  },
  // The last window would start behind the input
  {
    inputs: [x([1, 1, 4, 4])],
    attributes: {
      kernel_shape: ints([2, 2]),
      strides: ints([3, 3]),
      pads: ints([1, 1, 1, 1]),
      ceil_mode: int(1),
    },
  },
  {
    inputs: [x([1, 2, 6, 5])],
    attributes: { ...pairs, kernel_shape: ints([3, 3]), auto_pad: string("SAME_UPPER") },
  },
  {
    inputs: [x([1, 2, 6, 5])],
    attributes: { ...pairs, kernel_shape: ints([3, 3]), auto_pad: string("SAME_LOWER") },
  },
  { inputs: [x([1, 2, 5, 5])], attributes: { ...pairs, auto_pad: string("VALID") } },
  {
    inputs: [x([2, 2, 7, 7])],
    attributes: { kernel_shape: ints([2, 3]), dilations: ints([3, 2]), strides: ints([1, 2]) },
  },
  { inputs: [x([2, 3, 9])], attributes: { kernel_shape: ints([3]), strides: ints([2]), pads: ints([1, 0]) } },
  {
    inputs: [x([1, 2, 4, 5, 4])],
    attributes: { kernel_shape: ints([2, 3, 2]), strides: ints([2, 1, 2]), pads: ints([0, 1, 0, 1, 1, 0]) },
  },
];

const channels = [
  { inputs: [x([2, 3, 4, 5])] },
  { inputs: [x([2, 3, 7])] },
  { inputs: [x([1, 2, 3, 2, 4])] },
];

// ONNX Runtime has float64 kernels of MaxPool alone; test/goldens/spatial.py has PyTorch's derivatives of the others.
export const pool = samplesOf({
  AveragePool: inFloat32([
    ...windows,
    ...windows.map(({ inputs, attributes }) => ({
      inputs,
      attributes: { ...attributes, count_include_pad: int(1) },
    })),
  ]),
  GlobalAveragePool: inFloat32(channels),
  // The runtime has the op's kernel up to opset 21.
  GlobalLpPool: inFloat32(
    [2, 3].flatMap((p) => channels.map(({ inputs }) => ({ inputs, attributes: { p: int(p) }, opset: 21 }))),
  ),
  GlobalMaxPool: inFloat32(channels),
  LpPool: inFloat32([
    ...windows,
    { inputs: [x([2, 2, 4, 4])], attributes: { ...pairs, p: int(1) } },
    { inputs: [x([2, 2, 4, 4])], attributes: { ...pairs, p: int(3) } },
  ]),
  MaxPool: [
    ...windows,
    { inputs: [x([2, 2, 4, 5])], attributes: pairs, outputs: 2 },
    // So many windows that comparisons find the largest.
    { inputs: [x([2, 8, 32, 32])], attributes: pairs, outputs: 2 },
    { inputs: [x([2, 2, 4, 5])], attributes: { ...pairs, storage_order: int(1) }, outputs: 2 },
  ],
});
