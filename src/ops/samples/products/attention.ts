/** Samples of the ops in products/attention.ts. */
import { float, int } from "../../../onnx/graph.ts";
import { bools, samplesOf, x } from "../sample.ts";

export const attention = samplesOf({
  // Scales are powers of two, because onnxruntime moves them into products, in float32 even for float64.
  Attention: [
    { inputs: [x([2, 2, 3, 4]), x([2, 2, 5, 4]), x([2, 2, 5, 3])] },
    // Grouped queries, a mask that is added, a cap.
    {
      inputs: [x([1, 4, 3, 2]), x([1, 2, 4, 2]), x([1, 2, 4, 2]), x([1, 1, 3, 4])],
      attributes: { softcap: float(2), scale: float(0.25) },
    },
    // Heads side by side, causal with fewer queries than keys.
    {
      inputs: [x([1, 3, 16]), x([1, 4, 8]), x([1, 4, 6])],
      attributes: { q_num_heads: int(4), kv_num_heads: int(2), is_causal: int(1) },
    },
    // Keys hidden from some queries, by truth values and by order.
    {
      inputs: [x([1, 2, 3, 4]), x([1, 2, 3, 4]), x([1, 2, 3, 2]), bools([1, 1, 0, 1, 0, 1, 1, 1, 1], [3, 3])],
      attributes: { is_causal: int(1) },
      opset: 23,
    },
  ],
});
