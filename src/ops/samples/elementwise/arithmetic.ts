/** Samples of the ops in elementwise/arithmetic.ts. */
import { tensorOf } from "../../../onnx/tensor.ts";
import { binary, inFloat32, positive, type Sample, samplesOf, unary, unaryPositive, x } from "../sample.ts";

const variadic: readonly Sample[] = [
  ...binary,
  { inputs: [x([2, 3]), x([3]), x([2, 1])] },
  { inputs: [x([3])] },
  { inputs: [x([0, 2]), x([2])] },
];

export const arithmetic = samplesOf({
  Abs: unary,
  Add: binary,
  Div: [{ inputs: [x([2, 3]), positive([3])] }, { inputs: [x([3]), positive([2, 3])] }],
  Erf: inFloat32(unary),
  Exp: unary,
  Log: unaryPositive,
  Max: variadic,
  Mean: inFloat32(variadic),
  Min: variadic,
  Mul: binary,
  Neg: unary,
  Pow: [
    { inputs: [positive([2, 3]), x([3])] },
    { inputs: [x([4]), tensorOf("float64", [2], [])] },
    { inputs: [x([4]), tensorOf("float64", [3], [])] },
    { inputs: [x([4]), tensorOf("float64", [0], [])] },
  ],
  Reciprocal: unaryPositive,
  Sqrt: unaryPositive,
  Sub: binary,
  Sum: variadic,
});
