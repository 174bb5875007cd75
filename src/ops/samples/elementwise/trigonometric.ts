/** Samples of the ops in elementwise/trigonometric.ts. */
import { inFloat32, samplesOf, unary, x } from "../sample.ts";

const inside = [{ inputs: [x([2, 3], -0.9, 0.9)] }, { inputs: [x([], 0.2, 0.8)] }, { inputs: [x([0, 2])] }];

export const trigonometric = samplesOf({
  Acos: inFloat32(inside),
  Acosh: inFloat32([{ inputs: [x([2, 3], 1.2, 4)] }, { inputs: [x([], 1.5, 3)] }]),
  Asin: inFloat32(inside),
  Asinh: inFloat32(unary),
  Atan: inFloat32(unary),
  Atanh: inFloat32(inside),
  Cos: unary,
  Cosh: inFloat32(unary),
  Sin: unary,
  Sinh: inFloat32(unary),
  Tan: inFloat32(inside),
});
