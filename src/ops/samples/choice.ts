import { bools, type Sample, samplesOf, x } from "./sample.ts";

const compared: readonly Sample[] = [{ inputs: [x([2, 3]), x([3])] }];

export const choice = samplesOf({
  And: [{ inputs: [bools([0, 1, 1, 0], [2, 2]), bools([1, 0], [2])] }],
  Clip: [
    { inputs: [x([2, 3]), { range: [-1, -1], shape: [] }, { range: [1, 1], shape: [] }] },
    { inputs: [x([4]), undefined, { range: [0.3, 0.3], shape: [] }] },
  ],
  Equal: compared,
  Greater: compared,
  GreaterOrEqual: compared,
  Less: compared,
  LessOrEqual: compared,
  Not: [{ inputs: [bools([0, 1], [2])] }],
  Or: [{ inputs: [bools([0, 1, 1, 0], [2, 2]), bools([1, 0], [2])] }],
  Where: [
    { inputs: [bools([1, 0, 0], [3]), x([2, 3]), x([3])] },
    { inputs: [bools([1, 0, 0, 1], [2, 2]), x([]), x([2])] },
  ],
});
