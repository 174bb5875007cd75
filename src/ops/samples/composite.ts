import { float, int, string } from "../../onnx/graph.ts";
import { int64, tensorOf } from "../../onnx/tensor.ts";
import { bools, positive, samplesOf, x } from "./sample.ts";

const labels = int64([0, 2, 1, 1, 0, 2, 2, 0], [2, 4]);

export const composite = samplesOf({
  Attention: [
    { inputs: [x([2, 2, 3, 4]), x([2, 2, 5, 4]), x([2, 2, 5, 3])] },
    // Grouped queries, a mask that is added, a cap.
    {
      inputs: [x([1, 4, 3, 2]), x([1, 2, 4, 2]), x([1, 2, 4, 2]), x([1, 1, 3, 4])],
      attributes: { softcap: float(1.5), scale: float(0.3) },
    },
    // Heads side by side, causal with fewer queries than keys.
    {
      inputs: [x([2, 3, 8]), x([2, 4, 4]), x([2, 4, 6])],
      attributes: { q_num_heads: int(4), kv_num_heads: int(2), is_causal: int(1) },
    },
    // Keys hidden from some queries, by truth values and by order.
    {
      inputs: [x([1, 2, 3, 2]), x([1, 2, 3, 2]), x([1, 2, 3, 2]), bools([1, 1, 0, 1, 0, 1, 1, 1, 1], [3, 3])],
      attributes: { is_causal: int(1) },
      opset: 23,
    },
  ],
  Dropout: [
    { inputs: [x([2, 3])], outputs: 2 },
    { inputs: [x([2, 3]), tensorOf("float64", [0.3], []), bools([0], [])] },
  ],
  NegativeLogLikelihoodLoss: [
    { inputs: [x([2, 3, 4]), labels, positive([3])] },
    { inputs: [x([4, 3]), int64([0, -100, 2, 1])], attributes: { ignore_index: int(-100) } },
    {
      inputs: [x([2, 3, 4]), labels, positive([3])],
      attributes: { reduction: string("none"), ignore_index: int(1) },
    },
  ],
  SoftmaxCrossEntropyLoss: [
    { inputs: [x([2, 3, 4]), labels], outputs: 2 },
    {
      inputs: [x([2, 3, 4]), labels, positive([3])],
      attributes: { ignore_index: int(2), reduction: string("mean") },
    },
    { inputs: [x([3, 4]), int64([3, 0, 1]), positive([4])], attributes: { reduction: string("sum") } },
  ],
});
