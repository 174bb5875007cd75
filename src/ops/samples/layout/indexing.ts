/** Samples of the ops in layout/indexing.ts. */
import { int, string } from "../../../onnx/graph.ts";
import { int64, tensorOf } from "../../../onnx/tensor.ts";
import { samplesOf, x } from "../sample.ts";

const add = { reduction: string("add") };

export const indexing = samplesOf({
  GatherElements: [
    { inputs: [x([3, 2]), int64([0, 2, 2, 1], [2, 2])] },
    { inputs: [x([2, 3]), int64([0, -1, 1, 1, 0, 2, 2, 2], [2, 4])], attributes: { axis: int(1) } },
    { inputs: [x([4]), tensorOf("int32", [3, 0], [2])], attributes: { axis: int(-1) } },
    { inputs: [x([2, 3]), int64([], [0, 3])] },
  ],
  GatherND: [
    { inputs: [x([3, 2, 2]), int64([0, 1, 2, 0, 0, 1], [3, 2])] },
    { inputs: [x([3, 2]), int64([2, 2], [2, 1])] },
    { inputs: [x([2, 3, 2]), int64([2, 0], [2, 1])], attributes: { batch_dims: int(1) } },
    {
      inputs: [x([2, 3, 2]), int64([2, 0, 0, 1, 1, 1, 1, 0], [2, 2, 2])],
      attributes: { batch_dims: int(1) },
    },
    { inputs: [x([2, 2, 3, 2]), int64([2, 0, 1, 1], [2, 2, 1])], attributes: { batch_dims: int(2) } },
    { inputs: [x([3, 2]), int64([1, 1], [2])] },
  ],
  OneHot: [
    { inputs: [int64([0, 2, 1]), int64([3], []), x([2])], dtype: "float32" },
    {
      inputs: [int64([0, -1], [2]), int64([3], [1]), x([2])],
      attributes: { axis: int(0) },
      dtype: "float32",
    },
    { inputs: [int64([], [0]), int64([2], []), x([2])], dtype: "float32" },
  ],
  ScatterElements: [
    { inputs: [x([3, 2]), int64([0, 2, 2, 1], [2, 2]), x([2, 2])] },
    { inputs: [x([2, 3]), int64([1, 0], [2, 1]), x([2, 1])], attributes: { axis: int(1) } },
    { inputs: [x([3, 2]), int64([0, 2, 0, -1], [2, 2]), x([2, 2])], attributes: add },
    { inputs: [x([4]), tensorOf("int32", [3, 3], [2]), x([2])], attributes: { ...add, axis: int(-1) } },
    { inputs: [x([2, 3]), int64([], [0, 3]), x([0, 3])] },
    ...["max", "min", "mul"].flatMap((reduction) => [
      {
        inputs: [x([3, 2]), int64([0, 2, 0, -1], [2, 2]), x([2, 2])],
        attributes: { reduction: string(reduction) },
      },
      {
        inputs: [x([2, 3]), int64([1, 1, 1, 0, 2, 0], [2, 3]), x([2, 3])],
        attributes: { reduction: string(reduction), axis: int(1) },
      },
    ]),
  ],
  ScatterND: [
    { inputs: [x([4, 2]), int64([1, 3], [2, 1]), x([2, 2])] },
    { inputs: [x([4, 2]), int64([1, 1], [2, 1]), x([2, 2])], attributes: { reduction: string("add") } },
    { inputs: [x([3, 2, 2]), int64([0, 1, 2, 0], [2, 2]), x([2, 2])] },
    ...["max", "min", "mul"].map((reduction) => ({
      inputs: [x([4, 2]), int64([1, -3, 1], [3, 1]), x([3, 2])],
      attributes: { reduction: string(reduction) },
    })),
  ],
});
