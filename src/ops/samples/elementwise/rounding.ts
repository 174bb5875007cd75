/** Samples of the ops in elementwise/rounding.ts. */
import { int } from "../../../onnx/graph.ts";
import { positive, samplesOf, unary, x } from "../sample.ts";

const fmod = { fmod: int(1) };

export const rounding = samplesOf({
  Ceil: unary,
  Floor: unary,
  Mod: [
    { inputs: [x([2, 3], -5, 5), positive([3])], attributes: fmod },
    { inputs: [x([3], -5, 5), x([2, 1], -1.4, -0.6)], attributes: fmod },
    { inputs: [x([], 2, 5), positive([2])], attributes: fmod },
    { inputs: [x([0, 3]), positive([3])], attributes: fmod },
  ],
  Round: unary,
  Sign: unary,
});
