import { int } from "../../onnx/graph.ts";
import { int64 } from "../../onnx/tensor.ts";
import { type Sample, samplesOf, x } from "./sample.ts";

const reductions: readonly Sample[] = [
  { inputs: [x([2, 3, 4])] },
  { inputs: [x([2, 3, 4]), int64([1])], attributes: { keepdims: int(0) } },
  { inputs: [x([2, 3, 4]), int64([-1, 0])] },
  { inputs: [x([2, 3])], attributes: { noop_with_empty_axes: int(1) } },
];

export const reduce = samplesOf({
  ReduceMax: reductions,
  ReduceMean: reductions,
  ReduceSum: reductions,
});
