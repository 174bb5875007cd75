/** Samples of the ops in reductions/normalization.ts. */
import { float, int, ints } from "../../../onnx/graph.ts";
import { inFloat32, positive, samplesOf, x } from "../sample.ts";

const channels = (count: number) => [positive([count]), x([count])];
const statistics = (count: number) => [x([count]), positive([count])];

export const normalization = samplesOf({
  BatchNormalization: [
    { inputs: [x([2, 3, 2]), ...channels(3), ...statistics(3)] },
    { inputs: [x([4, 2]), ...channels(2), ...statistics(2)], attributes: { epsilon: float(0.1) } },
    {
      inputs: [x([3, 2, 2, 2]), ...channels(2), ...statistics(2)],
      attributes: { training_mode: int(1), momentum: float(0.7), epsilon: float(0.01) },
      outputs: 3,
    },
    {
      inputs: [x([5, 2]), ...channels(2), ...statistics(2)],
      attributes: { training_mode: int(1) },
      outputs: 3,
    },
  ],
  GroupNormalization: [
    { inputs: [x([2, 4, 3]), ...channels(4)], attributes: { num_groups: int(2) } },
    { inputs: [x([2, 3, 4]), ...channels(3)], attributes: { num_groups: int(3) } },
    // One scale for each group.
    {
      inputs: [x([2, 6, 2, 2]), ...channels(3)],
      attributes: { num_groups: int(3), epsilon: float(0.01) },
      opset: 18,
    },
    ...inFloat32([{ inputs: [x([2, 4, 3]), ...channels(4)], attributes: { num_groups: int(2) } }]),
  ],
  InstanceNormalization: [
    { inputs: [x([2, 3, 4]), ...channels(3)] },
    { inputs: [x([2, 2, 2, 3]), ...channels(2)], attributes: { epsilon: float(0.1) } },
  ],
  LRN: [
    { inputs: [x([2, 5, 2, 1])], attributes: { size: int(3), alpha: float(0.3), bias: float(1.5) } },
    { inputs: [x([1, 6, 2, 2])], attributes: { size: int(5), alpha: float(0.5), beta: float(0.6) } },
  ],
  LayerNormalization: [
    { inputs: [x([2, 3, 4]), positive([4]), x([4])] },
    { inputs: [x([2, 3, 4]), positive([3, 4])], attributes: { axis: int(1), epsilon: float(0.01) } },
    { inputs: [x([2, 3, 4]), positive([1, 4]), x([3, 1])], attributes: { axis: int(-2) } },
    ...inFloat32([{ inputs: [x([2, 3, 4]), positive([4]), x([4])], outputs: 3 }]),
  ],
  LpNormalization: [
    { inputs: [x([2, 3])] },
    { inputs: [x([2, 3, 2])], attributes: { axis: int(1), p: int(1) } },
  ],
  MeanVarianceNormalization: [
    { inputs: [x([2, 3, 2, 2])] },
    { inputs: [x([2, 5])], attributes: { axes: ints([-1]) } },
  ],
  RMSNormalization: [
    { inputs: [x([2, 3, 4]), positive([4])] },
    { inputs: [x([2, 3, 4]), positive([3, 4])], attributes: { axis: int(1), epsilon: float(0.1) } },
  ],
});
