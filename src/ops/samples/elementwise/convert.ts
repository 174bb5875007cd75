/** Samples of the ops in elementwise/convert.ts. */
import { int } from "../../../onnx/graph.ts";
import { tensorOf } from "../../../onnx/tensor.ts";
import { samplesOf, unary, x } from "../sample.ts";

export const convert = samplesOf({
  Cast: [{ inputs: [x([2, 3])], attributes: { to: int(1) } }],
  CastLike: [
    { inputs: [x([2, 3]), tensorOf("float64", [0], [])] },
    { inputs: [x([]), tensorOf("int64", [0], [1])] },
  ],
  Identity: unary,
});
