/** Samples of the ops in elementwise/dropout.ts. */
import { tensorOf } from "../../../onnx/tensor.ts";
import { bools, samplesOf, x } from "../sample.ts";

export const dropout = samplesOf({
  Dropout: [
    { inputs: [x([2, 3])], outputs: 2 },
    { inputs: [x([2, 3]), tensorOf("float64", [0.3], []), bools([0], [])] },
  ],
});
