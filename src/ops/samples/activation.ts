import { float, int, string } from "../../onnx/graph.ts";
import { inFloat32, samplesOf, unary, x } from "./sample.ts";

export const activation = samplesOf({
  Elu: inFloat32([...unary, { inputs: [x([4])], attributes: { alpha: float(0.5) } }]),
  Gelu: inFloat32([...unary, { inputs: [x([5])], attributes: { approximate: string("tanh") } }]),
  LeakyRelu: inFloat32([...unary, { inputs: [x([4])], attributes: { alpha: float(0.2) } }]),
  LogSoftmax: [{ inputs: [x([2, 3])] }, { inputs: [x([2, 3, 2])], attributes: { axis: int(1) } }],
  Relu: unary,
  Sigmoid: unary,
  Softmax: [{ inputs: [x([2, 3])] }, { inputs: [x([2, 3, 2])], attributes: { axis: int(1) } }],
  Softplus: inFloat32(unary),
  Tanh: unary,
});
