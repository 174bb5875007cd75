/** Samples of the ops in layout/layout.ts. */
import { int, ints } from "../../../onnx/graph.ts";
import { int64 } from "../../../onnx/tensor.ts";
import { samplesOf, x } from "../sample.ts";

export const layout = samplesOf({
  Concat: [
    { inputs: [x([2, 3]), x([2, 1]), x([2, 2])], attributes: { axis: int(-1) } },
    { inputs: [x([2]), x([0])], attributes: { axis: int(0) } },
  ],
  Expand: [{ inputs: [x([3, 1]), int64([2, 1, 4])] }, { inputs: [x([]), int64([2, 2])] }],
  Flatten: [
    { inputs: [x([2, 3, 2])] },
    { inputs: [x([2, 3, 2])], attributes: { axis: int(-1) } },
    { inputs: [x([2, 3])], attributes: { axis: int(0) } },
  ],
  Reshape: [
    { inputs: [x([2, 3, 2]), int64([0, -1])] },
    { inputs: [x([4]), int64([2, 2])] },
    { inputs: [x([0, 3]), int64([3, 0])], attributes: { allowzero: int(1) } },
    { inputs: [x([1]), int64([], [0])] },
  ],
  Squeeze: [{ inputs: [x([2, 1, 3, 1])] }, { inputs: [x([2, 1, 3, 1]), int64([-1])] }],
  Tile: [
    { inputs: [x([2, 3]), int64([2, 1])] },
    { inputs: [x([2, 3]), int64([1, 3])] },
    { inputs: [x([]), int64([], [0])] },
    { inputs: [x([0, 2]), int64([2, 2])] },
    { inputs: [x([2, 1]), int64([0, 2])] },
  ],
  Transpose: [{ inputs: [x([2, 3, 4])], attributes: { perm: ints([2, 0, 1]) } }, { inputs: [x([2, 3])] }],
  Unsqueeze: [{ inputs: [x([2, 3]), int64([0, -1])] }],
});
