/** Samples of the ops in products/matmul.ts. */
import { float, int } from "../../../onnx/graph.ts";
import { inFloat32, samplesOf, x } from "../sample.ts";

export const matmul = samplesOf({
  Det: inFloat32([
    { inputs: [x([3, 3])] },
    { inputs: [x([2, 2, 2])] },
    { inputs: [x([1, 1])] },
    { inputs: [x([2, 1, 4, 4], -1, 1)] },
  ]),
  Gemm: [
    { inputs: [x([2, 3]), x([3, 4]), x([4])] },
    {
      inputs: [x([3, 2]), x([4, 3]), x([2, 1])],
      attributes: { transA: int(1), transB: int(1), alpha: float(0.5), beta: float(2) },
    },
    { inputs: [x([3, 2]), x([3, 4])], attributes: { transA: int(1) } },
    { inputs: [x([2, 3]), x([4, 3]), x([])], attributes: { transB: int(1), alpha: float(-1.5) } },
    // So large that its factors change places.
    {
      inputs: [x([2, 512]), x([256, 512]), x([256])],
      attributes: { transB: int(1), alpha: float(0.25), beta: float(-2) },
    },
  ],
  MatMul: [
    { inputs: [x([2, 3]), x([3, 4])] },
    { inputs: [x([2, 2, 3]), x([3, 4])] },
    { inputs: [x([2, 3]), x([2, 3, 4])] },
    { inputs: [x([2, 1, 2, 3]), x([3, 3, 2])] },
    { inputs: [x([3]), x([3, 2])] },
    { inputs: [x([2, 3]), x([3])] },
    { inputs: [x([3]), x([3])] },
    { inputs: [x([2, 4, 3]), x([3])] },
  ],
});
