/** Samples of the ops in products/grid.ts. */
import { int, ints, string } from "../../../onnx/graph.ts";
import { int64 } from "../../../onnx/tensor.ts";
import { type Sample, samplesOf, x } from "../sample.ts";

/** Samples with both ways to count corners. */
const aligned = (sample: Sample): Sample[] =>
  [0, 1].map((flag) => ({ ...sample, attributes: { ...sample.attributes, align_corners: int(flag) } }));

export const grid = samplesOf({
  AffineGrid: [
    ...aligned({ inputs: [x([2, 2, 3]), int64([2, 3, 4, 5])] }),
    ...aligned({ inputs: [x([1, 3, 4]), int64([1, 2, 2, 3, 2])] }),
  ],
  Col2Im: [
    { inputs: [x([2, 12, 4]), int64([3, 3]), int64([2, 2])] },
    {
      inputs: [x([1, 8, 9]), int64([5, 4]), int64([2, 2])],
      attributes: { strides: ints([2, 2]), pads: ints([1, 1, 0, 1]), dilations: ints([1, 1]) },
    },
    { inputs: [x([1, 4, 2]), int64([4, 3]), int64([2, 2])], attributes: { dilations: ints([2, 2]) } },
  ],
  GridSample: [
    // Beyond the image on all sides.
    ...["zeros", "border", "reflection"].flatMap((mode) =>
      aligned({
        inputs: [x([2, 3, 4, 5]), x([2, 3, 2, 2], -1.7, 1.7)],
        attributes: { padding_mode: string(mode) },
      }),
    ),
    ...["zeros", "border"].flatMap((mode) =>
      aligned({
        inputs: [x([1, 2, 3, 4]), x([1, 4, 3, 2], -1.3, 1.3)],
        attributes: { mode: string("nearest"), padding_mode: string(mode) },
      }),
    ),
    ...["zeros", "border", "reflection"].flatMap((mode) =>
      aligned({
        inputs: [x([1, 2, 4, 5]), x([1, 3, 2, 2], -1.9, 1.9)],
        attributes: { mode: string("cubic"), padding_mode: string(mode) },
      }),
    ),
    { inputs: [x([1, 2, 3, 2, 4]), x([1, 2, 2, 3, 3], -1.2, 1.2)] },
  ],
});
