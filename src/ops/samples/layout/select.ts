/** Samples of the ops in layout/select.ts. */
import { int } from "../../../onnx/graph.ts";
import { int64 } from "../../../onnx/tensor.ts";
import { bools, samplesOf, x } from "../sample.ts";

export const select = samplesOf({
  Compress: [
    { inputs: [x([3, 2]), bools([1, 0, 1], [3])], attributes: { axis: int(0) } },
    { inputs: [x([2, 3]), bools([0, 1], [2])], attributes: { axis: int(-1) } },
    { inputs: [x([2, 3]), bools([0, 1, 1, 0, 1], [5])] },
    { inputs: [x([2, 3]), bools([0, 0], [2])], attributes: { axis: int(0) } },
  ],
  Gather: [
    { inputs: [x([4, 3]), int64([1, 1, 3, -1])] },
    { inputs: [x([2, 4, 3]), int64([0, 2, 2, 1], [2, 2])], attributes: { axis: int(1) } },
    { inputs: [x([4, 3]), int64([2], [])] },
  ],
  ReverseSequence: [
    { inputs: [x([3, 2]), int64([2, 3])] },
    { inputs: [x([2, 4, 3]), int64([4, 1])], attributes: { batch_axis: int(0), time_axis: int(1) } },
    { inputs: [x([3, 2, 2]), int64([3, 1])] },
  ],
  Slice: [
    { inputs: [x([4, 5]), int64([1, 0]), int64([3, 100])] },
    { inputs: [x([4, 5]), int64([-1]), int64([-100]), int64([1]), int64([-2])] },
    { inputs: [x([4, 5]), int64([0]), int64([4]), int64([0]), int64([2])] },
    { inputs: [x([4, 5]), int64([3]), int64([1]), int64([0])] },
  ],
  Split: [
    { inputs: [x([2, 5]), int64([2, 3])], attributes: { axis: int(1) }, outputs: 2 },
    { inputs: [x([5, 2])], attributes: { num_outputs: int(2) }, outputs: 2 },
  ],
  Trilu: [
    { inputs: [x([3, 3])] },
    { inputs: [x([2, 3, 4]), int64([1], [])], attributes: { upper: int(0) } },
    { inputs: [x([2, 3]), int64([-1], [])] },
    { inputs: [x([2, 0, 3])] },
  ],
});
