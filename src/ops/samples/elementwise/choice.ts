/** Samples of the ops in elementwise/choice.ts. */
import { bools, samplesOf, x } from "../sample.ts";

export const choice = samplesOf({
  Clip: [
    { inputs: [x([2, 3]), { range: [-1, -1], shape: [] }, { range: [1, 1], shape: [] }] },
    { inputs: [x([4]), undefined, { range: [0.3, 0.3], shape: [] }] },
    // Bounds in the wrong order
    { inputs: [x([4]), { range: [1, 1], shape: [] }, { range: [0.5, 0.5], shape: [] }] },
  ],
  Where: [
    { inputs: [bools([1, 0, 0], [3]), x([2, 3]), x([3])] },
    { inputs: [bools([1, 0, 0, 1], [2, 2]), x([]), x([2])] },
  ],
});
