/** Samples of the ops in products/fourier.ts. */
import { int } from "../../../onnx/graph.ts";
import { int64 } from "../../../onnx/tensor.ts";
import { samplesOf, x } from "../sample.ts";

export const fourier = samplesOf({
  DFT: [
    { inputs: [x([2, 6, 1])] },
    { inputs: [x([2, 5, 2])] },
    { inputs: [x([3, 4, 2]), undefined, int64([0], [])], attributes: { inverse: int(1) } },
    { inputs: [x([2, 7, 1]), undefined, int64([1], [])], attributes: { onesided: int(1) } },
    { inputs: [x([2, 4, 1]), int64([6], [])], attributes: { onesided: int(1) } },
    { inputs: [x([2, 8, 2]), int64([5], []), int64([-2], [])] },
    { inputs: [x([1, 4, 3, 1]), undefined, int64([1], [])] },
  ],
  STFT: [
    { inputs: [x([2, 9, 1]), int64([2], []), x([4])] },
    { inputs: [x([1, 8, 1]), int64([3], []), undefined, int64([5], [])] },
    { inputs: [x([2, 6, 2]), int64([1], []), undefined, int64([4], [])], attributes: { onesided: int(0) } },
    { inputs: [x([1, 6, 1]), int64([6], []), x([3])], attributes: { onesided: int(0) } },
  ],
});
