/** Samples of the ops in layout/pad.ts. */
import { ints, string } from "../../../onnx/graph.ts";
import { int64 } from "../../../onnx/tensor.ts";
import { samplesOf, x } from "../sample.ts";

const modes = ["constant", "reflect", "edge", "wrap"];

export const pad = samplesOf({
  CenterCropPad: [
    { inputs: [x([5, 4]), int64([2, 7])] },
    { inputs: [x([2, 5, 3]), int64([4, 3])], attributes: { axes: ints([-2, 0]) } },
  ],
  Pad: [
    ...modes.map((mode) => ({
      inputs: [x([2, 3, 4]), int64([0, 2, 1, 0, 1, 3])],
      attributes: { mode: string(mode) },
    })),
    // Negative pads take places away.
    ...modes.map((mode) => ({
      inputs: [x([4, 5]), int64([-1, 2, 2, -2])],
      attributes: { mode: string(mode) },
    })),
    { inputs: [x([2, 3]), int64([1, 0, 0, 2]), x([])] },
    { inputs: [x([2, 3, 2]), int64([1, 2, 0, -1]), undefined, int64([-1, 1])] },
    { inputs: [x([3]), int64([2, 2]), undefined, int64([0])], attributes: { mode: string("reflect") } },
    { inputs: [x([2, 0]), int64([0, 1, 0, 1])] },
  ],
});
