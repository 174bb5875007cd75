import { type Attribute, float, int, ints, string } from "../onnx/graph.ts";
import { type DType, int64, type Tensor, tensorOf } from "../onnx/tensor.ts";
import type { OpName } from "./catalogue.ts";

/** Inputs on which an op's rules are checked. */
export interface Sample {
  readonly inputs: readonly (SampleInput | Tensor | undefined)[];
  readonly attributes?: Readonly<Record<string, Attribute>>;
  readonly outputs?: number;
}

/** A float input with values spread over a range, kept away from points where the op has no derivative. */
export interface SampleInput {
  readonly range: readonly [low: number, high: number];
  readonly shape: readonly number[];
}

const x = (shape: readonly number[], low = -2, high = 2): SampleInput => ({ range: [low, high], shape });
const positive = (shape: readonly number[]) => x(shape, 0.5, 3);
const bools = (values: readonly number[], shape: readonly number[]) =>
  tensorOf("bool" as DType, values, shape);

const unary: readonly Sample[] = [{ inputs: [x([2, 3])] }, { inputs: [x([])] }, { inputs: [x([0, 3])] }];
const unaryPositive: readonly Sample[] = [{ inputs: [positive([2, 3])] }, { inputs: [positive([])] }];
const binary: readonly Sample[] = [
  { inputs: [x([2, 3]), x([2, 3])] },
  { inputs: [x([2, 3]), x([3])] },
  { inputs: [x([4, 1, 3]), x([2, 1])] },
  { inputs: [x([]), x([2, 2])] },
];
const compared: readonly Sample[] = [{ inputs: [x([2, 3]), x([3])] }];
const reductions: readonly Sample[] = [
  { inputs: [x([2, 3, 4])] },
  { inputs: [x([2, 3, 4]), int64([1])], attributes: { keepdims: int(0) } },
  { inputs: [x([2, 3, 4]), int64([-1, 0])] },
  { inputs: [x([2, 3])], attributes: { noop_with_empty_axes: int(1) } },
];

/** At least one sample for every op of the catalogue; a test fails where one is missing. */
export const samples: Readonly<Record<OpName, readonly Sample[]>> = {
  Abs: unary,
  Add: binary,
  And: [{ inputs: [bools([0, 1, 1, 0], [2, 2]), bools([1, 0], [2])] }],
  Cast: [{ inputs: [x([2, 3])], attributes: { to: int(1) } }],
  Clip: [
    { inputs: [x([2, 3]), { range: [-1, -1], shape: [] }, { range: [1, 1], shape: [] }] },
    { inputs: [x([4]), undefined, { range: [0.3, 0.3], shape: [] }] },
  ],
  Concat: [
    { inputs: [x([2, 3]), x([2, 1]), x([2, 2])], attributes: { axis: int(-1) } },
    { inputs: [x([2]), x([0])], attributes: { axis: int(0) } },
  ],
  Cos: unary,
  Div: [{ inputs: [x([2, 3]), positive([3])] }, { inputs: [x([3]), positive([2, 3])] }],
  Elu: [...unary, { inputs: [x([4])], attributes: { alpha: float(0.5) } }],
  Equal: compared,
  Erf: unary,
  Exp: unary,
  Expand: [{ inputs: [x([3, 1]), int64([2, 1, 4])] }, { inputs: [x([]), int64([2, 2])] }],
  Flatten: [
    { inputs: [x([2, 3, 2])] },
    { inputs: [x([2, 3, 2])], attributes: { axis: int(-1) } },
    { inputs: [x([2, 3])], attributes: { axis: int(0) } },
  ],
  Gather: [
    { inputs: [x([4, 3]), int64([1, 1, 3, -1])] },
    { inputs: [x([2, 4, 3]), int64([0, 2, 2, 1], [2, 2])], attributes: { axis: int(1) } },
    { inputs: [x([4, 3]), int64([2], [])] },
  ],
  GatherND: [
    { inputs: [x([3, 2, 2]), int64([0, 1, 2, 0, 0, 1], [3, 2])] },
    { inputs: [x([3, 2]), int64([2, 2], [2, 1])] },
  ],
  Gelu: [...unary, { inputs: [x([5])], attributes: { approximate: string("tanh") } }],
  Gemm: [
    { inputs: [x([2, 3]), x([3, 4]), x([4])] },
    {
      inputs: [x([3, 2]), x([4, 3]), x([2, 1])],
      attributes: { transA: int(1), transB: int(1), alpha: float(0.5), beta: float(2) },
    },
    { inputs: [x([3, 2]), x([3, 4])], attributes: { transA: int(1) } },
    { inputs: [x([2, 3]), x([4, 3]), x([])], attributes: { transB: int(1), alpha: float(-1.5) } },
  ],
  Greater: compared,
  GreaterOrEqual: compared,
  Identity: unary,
  LeakyRelu: [...unary, { inputs: [x([4])], attributes: { alpha: float(0.2) } }],
  Less: compared,
  LessOrEqual: compared,
  Log: unaryPositive,
  LogSoftmax: [{ inputs: [x([2, 3])] }, { inputs: [x([2, 3, 2])], attributes: { axis: int(1) } }],
  MatMul: [
    { inputs: [x([2, 3]), x([3, 4])] },
    { inputs: [x([2, 2, 3]), x([3, 4])] },
    { inputs: [x([2, 3]), x([2, 3, 4])] },
    { inputs: [x([2, 1, 2, 3]), x([3, 3, 2])] },
    { inputs: [x([3]), x([3, 2])] },
    { inputs: [x([2, 3]), x([3])] },
    { inputs: [x([3]), x([3])] },
    { inputs: [x([2, 4, 3]), x([3])] },
  ],
  Max: [...binary, { inputs: [x([2, 3]), x([3]), x([2, 1])] }, { inputs: [x([3])] }],
  Min: [...binary, { inputs: [x([2, 3]), x([3]), x([2, 1])] }, { inputs: [x([3])] }],
  Mul: binary,
  Neg: unary,
  Not: [{ inputs: [bools([0, 1], [2])] }],
  Or: [{ inputs: [bools([0, 1, 1, 0], [2, 2]), bools([1, 0], [2])] }],
  Pow: [
    { inputs: [positive([2, 3]), x([3])] },
    { inputs: [x([4]), tensorOf("float64", [2], [])] },
    { inputs: [x([4]), tensorOf("float64", [3], [])] },
    { inputs: [x([4]), tensorOf("float64", [0], [])] },
  ],
  Reciprocal: unaryPositive,
  ReduceMax: reductions,
  ReduceMean: reductions,
  ReduceSum: reductions,
  Relu: unary,
  Reshape: [
    { inputs: [x([2, 3, 2]), int64([0, -1])] },
    { inputs: [x([4]), int64([2, 2])] },
    { inputs: [x([0, 3]), int64([3, 0])], attributes: { allowzero: int(1) } },
    { inputs: [x([1]), int64([], [0])] },
  ],
  ScatterND: [
    { inputs: [x([4, 2]), int64([1, 3], [2, 1]), x([2, 2])] },
    { inputs: [x([4, 2]), int64([1, 1], [2, 1]), x([2, 2])], attributes: { reduction: string("add") } },
  ],
  Sigmoid: unary,
  Sign: unary,
  Sin: unary,
  Slice: [
    { inputs: [x([4, 5]), int64([1, 0]), int64([3, 100])] },
    { inputs: [x([4, 5]), int64([-1]), int64([-100]), int64([1]), int64([-2])] },
    { inputs: [x([4, 5]), int64([0]), int64([4]), int64([0]), int64([2])] },
    { inputs: [x([4, 5]), int64([3]), int64([1]), int64([0])] },
  ],
  Softmax: [{ inputs: [x([2, 3])] }, { inputs: [x([2, 3, 2])], attributes: { axis: int(1) } }],
  Softplus: unary,
  Split: [
    { inputs: [x([2, 5]), int64([2, 3])], attributes: { axis: int(1) }, outputs: 2 },
    { inputs: [x([5, 2])], attributes: { num_outputs: int(2) }, outputs: 2 },
  ],
  Sqrt: unaryPositive,
  Squeeze: [{ inputs: [x([2, 1, 3, 1])] }, { inputs: [x([2, 1, 3, 1]), int64([-1])] }],
  Sub: binary,
  Tanh: unary,
  Transpose: [{ inputs: [x([2, 3, 4])], attributes: { perm: ints([2, 0, 1]) } }, { inputs: [x([2, 3])] }],
  Unsqueeze: [{ inputs: [x([2, 3]), int64([0, -1])] }],
  Where: [
    { inputs: [bools([1, 0, 0], [3]), x([2, 3]), x([3])] },
    { inputs: [bools([1, 0, 0, 1], [2, 2]), x([]), x([2])] },
  ],
};
