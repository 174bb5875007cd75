/** Samples of the ops in elementwise/activation.ts. */
import { float, int, string } from "../../../onnx/graph.ts";
import { inFloat32, samplesOf, unary, x } from "../sample.ts";

// Pieces between the kinks.
const pieces = [
  { inputs: [x([2, 3], -2, 0.8)] },
  { inputs: [x([4], 1.2, 2.3)] },
  { inputs: [x([4], 3.2, 5)] },
  { inputs: [x([], -5, -3.2)] },
  { inputs: [x([0, 2])] },
];

export const activation = samplesOf({
  Celu: inFloat32([...unary, { inputs: [x([5])], attributes: { alpha: float(2) } }]),
  Elu: inFloat32([...unary, { inputs: [x([4])], attributes: { alpha: float(0.5) } }]),
  Gelu: inFloat32([...unary, { inputs: [x([5])], attributes: { approximate: string("tanh") } }]),
  HardSigmoid: inFloat32([
    ...pieces,
    { inputs: [x([3], -0.8, 0.8)], attributes: { alpha: float(0.5), beta: float(0.5) } },
  ]),
  HardSwish: inFloat32(pieces),
  Hardmax: inFloat32([{ inputs: [x([2, 3])] }, { inputs: [x([2, 3, 2])], attributes: { axis: int(1) } }]),
  LeakyRelu: inFloat32([...unary, { inputs: [x([4])], attributes: { alpha: float(0.2) } }]),
  LogSoftmax: [{ inputs: [x([2, 3])] }, { inputs: [x([2, 3, 2])], attributes: { axis: int(1) } }],
  Mish: inFloat32(unary),
  PRelu: inFloat32([
    { inputs: [x([2, 3]), x([3])] },
    { inputs: [x([2, 3, 2]), x([3, 1])] },
    { inputs: [x([4]), x([1])] },
    { inputs: [x([0, 3]), x([3])] },
  ]),
  Relu: unary,
  Selu: inFloat32([...unary, { inputs: [x([4])], attributes: { alpha: float(0.5), gamma: float(2) } }]),
  // The float64 kernel rounds to float32.
  Shrink: inFloat32([
    { inputs: [x([2, 3])] },
    { inputs: [x([6])], attributes: { lambd: float(1), bias: float(0.3) } },
    { inputs: [x([])] },
    { inputs: [x([0, 2])] },
  ]),
  Sigmoid: unary,
  Softmax: [{ inputs: [x([2, 3])] }, { inputs: [x([2, 3, 2])], attributes: { axis: int(1) } }],
  Softplus: inFloat32(unary),
  Softsign: inFloat32(unary),
  Swish: [...unary, { inputs: [x([4])], attributes: { alpha: float(2) } }],
  Tanh: unary,
  ThresholdedRelu: inFloat32([...pieces, { inputs: [x([3], 2.1, 3)], attributes: { alpha: float(2) } }]),
});
