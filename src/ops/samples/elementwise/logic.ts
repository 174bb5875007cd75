/** Samples of the ops in elementwise/logic.ts. */
import { string } from "../../../onnx/graph.ts";
import { tensorOf } from "../../../onnx/tensor.ts";
import { bools, type Sample, samplesOf, unary, x } from "../sample.ts";

const compared: readonly Sample[] = [
  { inputs: [x([2, 3]), x([3])] },
  { inputs: [x([]), x([])] },
  { inputs: [x([0, 3]), x([3])] },
];

const twoBools: readonly Sample[] = [
  { inputs: [bools([0, 1, 1, 0], [2, 2]), bools([1, 0], [2])] },
  { inputs: [bools([1], []), bools([], [0, 2])] },
];

const bits = (values: readonly number[], shape: readonly number[]) => tensorOf("uint8", values, shape);

const twoBits: readonly Sample[] = [
  { inputs: [bits([1, 2, 4, 255], [2, 2]), bits([3, 1], [2])] },
  { inputs: [bits([7], []), bits([2], [1])] },
];

export const logic = samplesOf({
  And: twoBools,
  BitShift: [
    { inputs: [bits([1, 2, 4, 255], [2, 2]), bits([3, 1], [2])], attributes: { direction: string("LEFT") } },
    { inputs: [bits([8], []), bits([1, 2], [2])], attributes: { direction: string("RIGHT") } },
  ],
  BitwiseAnd: twoBits,
  BitwiseNot: [{ inputs: [bits([1, 254], [2])] }],
  BitwiseOr: twoBits,
  BitwiseXor: twoBits,
  Equal: compared,
  Greater: compared,
  GreaterOrEqual: compared,
  IsInf: unary,
  IsNaN: unary,
  Less: compared,
  LessOrEqual: compared,
  Not: [{ inputs: [bools([0, 1], [2])] }],
  Or: twoBools,
  Xor: twoBools,
});
