import { tensorOf } from "../../onnx/tensor.ts";
import { binary, inFloat32, positive, samplesOf, unary, unaryPositive, x } from "./sample.ts";

export const arithmetic = samplesOf({
  Abs: unary,
  Add: binary,
  Cos: unary,
  Div: [{ inputs: [x([2, 3]), positive([3])] }, { inputs: [x([3]), positive([2, 3])] }],
  Erf: inFloat32(unary),
  Exp: unary,
  Log: unaryPositive,
  Max: [...binary, { inputs: [x([2, 3]), x([3]), x([2, 1])] }, { inputs: [x([3])] }],
  Min: [...binary, { inputs: [x([2, 3]), x([3]), x([2, 1])] }, { inputs: [x([3])] }],
  Mul: binary,
  Neg: unary,
  Pow: [
    { inputs: [positive([2, 3]), x([3])] },
    { inputs: [x([4]), tensorOf("float64", [2], [])] },
    { inputs: [x([4]), tensorOf("float64", [3], [])] },
    { inputs: [x([4]), tensorOf("float64", [0], [])] },
  ],
  Reciprocal: unaryPositive,
  Sign: unary,
  Sin: unary,
  Sqrt: unaryPositive,
  Sub: binary,
});
