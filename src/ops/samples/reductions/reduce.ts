/** Samples of the ops in reductions/reduce.ts. */
import { int } from "../../../onnx/graph.ts";
import { int64 } from "../../../onnx/tensor.ts";
import { positive, type Sample, samplesOf, x } from "../sample.ts";

const reductions: readonly Sample[] = [
  { inputs: [x([2, 3, 4])] },
  { inputs: [x([2, 3, 4]), int64([1])], attributes: { keepdims: int(0) } },
  { inputs: [x([2, 3, 4]), int64([-1, 0])] },
  { inputs: [x([2, 3])], attributes: { noop_with_empty_axes: int(1) } },
  { inputs: [x([])] },
];

const positives: readonly Sample[] = [
  { inputs: [positive([2, 3, 4])] },
  { inputs: [positive([2, 3, 4]), int64([1])], attributes: { keepdims: int(0) } },
  { inputs: [positive([2, 3, 4]), int64([-1, 0])] },
  { inputs: [positive([])] },
];

/** Nothing is reduced: 0 rows, and rows of 0 elements. */
const empty: readonly Sample[] = [
  { inputs: [x([0, 3]), int64([1])] },
  { inputs: [x([2, 0]), int64([1])], attributes: { keepdims: int(0) } },
];

export const reduce = samplesOf({
  CumSum: [
    { inputs: [x([2, 3]), int64([1], [])] },
    { inputs: [x([2, 3]), int64([-2], [])], attributes: { exclusive: int(1) } },
    { inputs: [x([4]), int64([0], [])], attributes: { reverse: int(1) } },
    { inputs: [x([2, 4]), int64([1], [])], attributes: { exclusive: int(1), reverse: int(1) } },
    { inputs: [x([0, 3]), int64([1], [])] },
  ],
  ReduceL1: [...reductions, ...empty],
  ReduceL2: [...reductions, ...empty],
  ReduceLogSum: positives,
  ReduceLogSumExp: reductions,
  ReduceMax: reductions,
  ReduceMean: reductions,
  ReduceMin: reductions,
  ReduceProd: [...reductions, ...empty, { inputs: [x([1, 5]), int64([0])] }],
  ReduceSum: [...reductions, ...empty],
  ReduceSumSquare: [...reductions, ...empty],
});
