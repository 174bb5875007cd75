import { int, string } from "../../onnx/graph.ts";
import { int64 } from "../../onnx/tensor.ts";
import { samplesOf, x } from "./sample.ts";

export const select = samplesOf({
  Gather: [
    { inputs: [x([4, 3]), int64([1, 1, 3, -1])] },
    { inputs: [x([2, 4, 3]), int64([0, 2, 2, 1], [2, 2])], attributes: { axis: int(1) } },
    { inputs: [x([4, 3]), int64([2], [])] },
  ],
  GatherND: [
    { inputs: [x([3, 2, 2]), int64([0, 1, 2, 0, 0, 1], [3, 2])] },
    { inputs: [x([3, 2]), int64([2, 2], [2, 1])] },
  ],
  ScatterND: [
    { inputs: [x([4, 2]), int64([1, 3], [2, 1]), x([2, 2])] },
    { inputs: [x([4, 2]), int64([1, 1], [2, 1]), x([2, 2])], attributes: { reduction: string("add") } },
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
});
