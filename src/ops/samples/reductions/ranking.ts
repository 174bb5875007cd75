/** Samples of the ops in reductions/ranking.ts. */
import { int } from "../../../onnx/graph.ts";
import { int64 } from "../../../onnx/tensor.ts";
import { type Sample, samplesOf, x } from "../sample.ts";

const ranks: readonly Sample[] = [
  { inputs: [x([2, 3])] },
  { inputs: [x([2, 3, 2])], attributes: { axis: int(-2), keepdims: int(0) } },
  { inputs: [x([4])], attributes: { keepdims: int(0), select_last_index: int(1) } },
];

export const ranking = samplesOf({
  ArgMax: ranks,
  ArgMin: ranks,
  TopK: [
    { inputs: [x([2, 5]), int64([3])], outputs: 2 },
    { inputs: [x([4, 2]), int64([2])], attributes: { axis: int(0), largest: int(0) }, outputs: 2 },
    { inputs: [x([2, 3, 2]), int64([1])], attributes: { axis: int(-2), sorted: int(0) }, outputs: 2 },
    { inputs: [x([3]), int64([0])], outputs: 2 },
  ],
});
