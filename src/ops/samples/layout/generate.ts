/** Samples of the ops in layout/generate.ts. */
import { int } from "../../../onnx/graph.ts";
import { float32, int64, tensorOf } from "../../../onnx/tensor.ts";
import { samplesOf, x } from "../sample.ts";

const windows = [
  { inputs: [int64([5], [])] },
  { inputs: [int64([4], [])], attributes: { periodic: int(0), output_datatype: int(11) } },
];

export const generate = samplesOf({
  BlackmanWindow: windows,
  Constant: [
    { inputs: [], attributes: { value: { type: "tensor", value: int64([1, 2]) } } },
    { inputs: [], attributes: { value_float: { type: "float", value: 0.5 } } },
    { inputs: [], attributes: { value_ints: { type: "ints", value: [1, 2, 3] } } },
    { inputs: [], attributes: { value_floats: { type: "floats", value: [] } } },
    { inputs: [], attributes: { value_int: int(3) } },
  ],
  ConstantOfShape: [
    { inputs: [int64([2, 3])] },
    { inputs: [int64([], [0])], attributes: { value: { type: "tensor", value: int64([7]) } } },
    { inputs: [int64([0, 2])], attributes: { value: { type: "tensor", value: float32([1]) } } },
  ],
  EyeLike: [
    { inputs: [x([2, 3])] },
    { inputs: [x([3, 3])], attributes: { k: int(-1), dtype: int(1) } },
    { inputs: [int64([0, 0], [1, 2])] },
  ],
  HammingWindow: windows,
  HannWindow: windows,
  NonZero: [
    { inputs: [int64([0, 2, 0, 3], [2, 2])] },
    { inputs: [int64([0, 0])] },
    { inputs: [tensorOf("bool", [1, 0, 1], [3])] },
  ],
  Range: [
    { inputs: [int64([1], []), int64([8], []), int64([3], [])] },
    { inputs: [float32([2], []), float32([-1], []), float32([-0.5], [])], dtype: "float32" },
    { inputs: [int64([3], []), int64([1], []), int64([1], [])] },
  ],
  Shape: [
    { inputs: [x([2, 3, 4])] },
    { inputs: [x([2, 3, 4])], attributes: { start: int(-2) } },
    { inputs: [x([2, 3, 4])], attributes: { start: int(1), end: int(-1) } },
    { inputs: [x([])] },
  ],
  Size: [{ inputs: [x([2, 3])] }, { inputs: [x([0])] }],
});
