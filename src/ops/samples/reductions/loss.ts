/** Samples of the ops in reductions/loss.ts. */
import { int, string } from "../../../onnx/graph.ts";
import { int64 } from "../../../onnx/tensor.ts";
import { positive, samplesOf, x } from "../sample.ts";

const labels = int64([0, 2, 1, 1, 0, 2, 2, 0], [2, 4]);

export const loss = samplesOf({
  NegativeLogLikelihoodLoss: [
    { inputs: [x([2, 3, 4]), labels, positive([3])] },
    { inputs: [x([4, 3]), int64([0, -100, 2, 1])], attributes: { ignore_index: int(-100) } },
    {
      inputs: [x([2, 3, 4]), labels, positive([3])],
      attributes: { reduction: string("none"), ignore_index: int(1) },
    },
  ],
  SoftmaxCrossEntropyLoss: [
    { inputs: [x([2, 3, 4]), labels], outputs: 2 },
    {
      inputs: [x([2, 3, 4]), labels, positive([3])],
      attributes: { ignore_index: int(2), reduction: string("mean") },
    },
    { inputs: [x([3, 4]), int64([3, 0, 1]), positive([4])], attributes: { reduction: string("sum") } },
  ],
});
