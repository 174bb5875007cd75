/** Samples of the ops in layout/resize.ts. */
import { float, int, ints, string } from "../../../onnx/graph.ts";
import { float32, int64 } from "../../../onnx/tensor.ts";
import { inFloat32, type Sample, samplesOf, x } from "../sample.ts";

const coordinates = [
  "half_pixel",
  "half_pixel_symmetric",
  "pytorch_half_pixel",
  "align_corners",
  "asymmetric",
];

const up = float32([1, 1, 2, 1.6]);
const down = int64([2, 2, 3, 2]);

const by = (mode: string, coordinate: string): Sample[] => [
  {
    inputs: [x([2, 2, 4, 5]), undefined, up],
    attributes: { mode: string(mode), coordinate_transformation_mode: string(coordinate) },
  },
  {
    inputs: [x([2, 2, 4, 5]), undefined, undefined, down],
    attributes: { mode: string(mode), coordinate_transformation_mode: string(coordinate) },
  },
];

// ONNX Runtime has float32 kernels only; test/goldens/spatial.py has PyTorch's derivatives in float64.
export const resize = samplesOf({
  Resize: inFloat32([
    ...coordinates.flatMap((coordinate) => [...by("nearest", coordinate), ...by("linear", coordinate)]),
    ...by("cubic", "half_pixel"),
    ...["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"].map((nearest) => ({
      inputs: [x([1, 1, 4, 3]), undefined, float32([1, 1, 1.5, 3])],
      attributes: { nearest_mode: string(nearest) },
    })),
    // A crop that leaves the image, where the value is constant
    ...["nearest", "linear"].map((mode) => ({
      inputs: [
        x([1, 2, 5, 4]),
        float32([0, 0, 0.25, -0.5, 1, 1, 0.75, 1.25]),
        undefined,
        int64([1, 2, 4, 6]),
      ],
      attributes: {
        mode: string(mode),
        coordinate_transformation_mode: string("tf_crop_and_resize"),
        extrapolation_value: float(3),
      },
    })),
    {
      inputs: [x([1, 1, 8, 7]), undefined, undefined, int64([3, 4])],
      attributes: { mode: string("linear"), antialias: int(1), axes: ints([2, 3]) },
    },
    {
      inputs: [x([1, 1, 6, 6]), undefined, float32([1, 1, 0.5, 0.5])],
      attributes: { mode: string("cubic"), exclude_outside: int(1), cubic_coeff_a: float(-0.5) },
    },
    // Exporters give empty tensors for the inputs that do not count.
    { inputs: [x([1, 1, 2, 3]), float32([]), float32([]), int64([1, 1, 4, 5])] },
    { inputs: [x([4, 3]), undefined, float32([2, 1.5])], attributes: { mode: string("linear") } },
    { inputs: [x([2, 3, 5]), undefined, float32([1, 1, 2])], attributes: { mode: string("linear") } },
    { inputs: [x([3, 2, 5]), undefined, float32([2, 1, 2])] },
    {
      inputs: [x([1, 2, 2, 3, 2]), undefined, float32([1, 1, 2, 2, 1.5])],
      attributes: { mode: string("linear") },
    },
  ]),
});
