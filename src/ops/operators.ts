/** The ops as methods of a graph builder: `g.sub(1, g.mul(y, y))` appends two nodes and gives the value of the second. */
import type { Attributes, Value } from "../onnx/graph.ts";

/**
 * An operand: a value; a number, which is a scalar constant of the type of the values that it meets; or integers, which are
 * a 1-D int64 constant.
 */
export type Term = Value | number | readonly number[];

/** Integers, such as a shape or axes: computed ones, or a list. */
export type Integers = Value | readonly number[];

/** A tuple with any number of its last elements left out. */
type Leading<Given extends readonly unknown[]> = Given extends readonly [...infer Rest, unknown]
  ? Given | Leading<Rest>
  : Given;

/** Operands, of which the optional ones may be left out, and then attributes: by name, or those of another node. */
type Method<
  Operands extends readonly unknown[],
  Named = Record<never, never>,
  Optional extends readonly unknown[] = [],
> = (...given: [...Operands, ...Leading<Optional>, attributes?: Named | Attributes]) => Value;

type OfOne = (x: Value) => Value;
type OfTwo = (a: Term, b: Term) => Value;
type OfAny = (...terms: readonly Term[]) => Value;

type Activation = Method<[x: Value], { readonly alpha?: number }>;
type Scaled = Method<
  [x: Value, scale: Value],
  { readonly axis?: number; readonly block_size?: number },
  [zeroPoint: Value | undefined]
>;
type AlongAxis = Method<[x: Value], { readonly axis?: number }>;
type Indexed = Method<[x: Value, indices: Value], { readonly axis?: number }>;
type Window = Method<[size: Term], { readonly periodic?: number; readonly output_datatype?: number }>;

type Reduction = Method<
  [x: Value],
  { readonly keepdims?: 0 | 1; readonly noop_with_empty_axes?: 0 | 1 },
  [axes: Integers]
>;

type Largest = Method<
  [x: Value],
  { readonly axis?: number; readonly keepdims?: 0 | 1; readonly select_last_index?: 0 | 1 }
>;

/** How windows slide over spatial axes. */
interface Sliding {
  readonly strides?: readonly number[];
  readonly dilations?: readonly number[];
  /** Those in front of each axis, then those behind. */
  readonly pads?: readonly number[];
  readonly auto_pad?: "NOTSET" | "SAME_UPPER" | "SAME_LOWER" | "VALID";
}

interface Convolution extends Sliding {
  readonly group?: number;
}

interface Pooling extends Sliding {
  readonly kernel_shape: readonly number[];
  readonly ceil_mode?: 0 | 1;
}

interface Epsilon {
  readonly epsilon?: number;
}

interface LayerStatistics extends Epsilon {
  readonly axis?: number;
  readonly stash_type?: number;
}

interface ClassLoss {
  readonly ignore_index?: number;
  readonly reduction?: "none" | "sum" | "mean";
}

interface Recurrence {
  readonly direction?: "forward" | "reverse" | "bidirectional";
  readonly hidden_size?: number;
  readonly layout?: 0 | 1;
}

/** What is recurrent: X, W, R, and optionally b, the sequences' lengths and the first state. */
type Recurrent<Named = Recurrence, More extends readonly unknown[] = []> = Method<
  [x: Value, input: Value, recurrence: Value],
  Named,
  [bias: Value | undefined, lengths: Value | undefined, hidden: Value | undefined, ...More]
>;

/**
 * One method for each supported op, named like it in camel case (`RMSNormalization` is `rmsNormalization`). What the
 * operands and attributes mean says the ONNX standard: https://onnx.ai/onnx/operators.
 */
export interface Operators {
  // Elementwise
  readonly abs: OfOne;
  readonly acos: OfOne;
  readonly acosh: OfOne;
  readonly add: OfTwo;
  readonly and: OfTwo;
  readonly asin: OfOne;
  readonly asinh: OfOne;
  readonly atan: OfOne;
  readonly atanh: OfOne;
  readonly bitShift: Method<[x: Term, bits: Term], { readonly direction: "LEFT" | "RIGHT" }>;
  readonly bitwiseAnd: OfTwo;
  readonly bitwiseNot: OfOne;
  readonly bitwiseOr: OfTwo;
  readonly bitwiseXor: OfTwo;
  readonly cast: Method<[x: Value], { readonly to: number }>;
  readonly castLike: (x: Value, like: Value) => Value;
  readonly ceil: OfOne;
  readonly celu: Activation;
  readonly clip: (x: Value, low?: Term, high?: Term) => Value;
  readonly cos: OfOne;
  readonly cosh: OfOne;
  readonly dequantizeLinear: Scaled;
  readonly div: OfTwo;
  readonly dynamicQuantizeLinear: OfOne;
  readonly dropout: Method<
    [x: Value],
    { readonly seed?: number },
    [ratio: Term | undefined, training: Value | undefined]
  >;
  readonly elu: Activation;
  readonly equal: OfTwo;
  readonly erf: OfOne;
  readonly exp: OfOne;
  readonly floor: OfOne;
  readonly gelu: Method<[x: Value], { readonly approximate?: "none" | "tanh" }>;
  readonly greater: OfTwo;
  readonly greaterOrEqual: OfTwo;
  readonly hardmax: AlongAxis;
  readonly hardSigmoid: Method<[x: Value], { readonly alpha?: number; readonly beta?: number }>;
  readonly hardSwish: OfOne;
  readonly identity: OfOne;
  readonly isInf: Method<[x: Value], { readonly detect_negative?: 0 | 1; readonly detect_positive?: 0 | 1 }>;
  readonly isNaN: OfOne;
  readonly leakyRelu: Activation;
  readonly less: OfTwo;
  readonly lessOrEqual: OfTwo;
  readonly log: OfOne;
  readonly logSoftmax: AlongAxis;
  readonly max: OfAny;
  readonly mean: OfAny;
  readonly min: OfAny;
  readonly mish: OfOne;
  readonly mod: Method<[a: Term, b: Term], { readonly fmod?: 0 | 1 }>;
  readonly mul: OfTwo;
  readonly neg: OfOne;
  readonly not: OfOne;
  readonly or: OfTwo;
  readonly pow: OfTwo;
  readonly quantizeLinear: Scaled;
  readonly pRelu: (x: Value, slope: Term) => Value;
  readonly reciprocal: OfOne;
  readonly relu: OfOne;
  readonly round: OfOne;
  readonly selu: Method<[x: Value], { readonly alpha?: number; readonly gamma?: number }>;
  readonly shrink: Method<[x: Value], { readonly bias?: number; readonly lambd?: number }>;
  readonly sigmoid: OfOne;
  readonly sign: OfOne;
  readonly sin: OfOne;
  readonly sinh: OfOne;
  readonly softmax: AlongAxis;
  readonly softplus: OfOne;
  readonly softsign: OfOne;
  readonly sqrt: OfOne;
  readonly sub: OfTwo;
  readonly sum: OfAny;
  readonly swish: Activation;
  readonly tan: OfOne;
  readonly tanh: OfOne;
  readonly thresholdedRelu: Activation;
  readonly where: (condition: Value, chosen: Term, other: Term) => Value;
  readonly xor: OfTwo;

  // Products
  readonly affineGrid: Method<[theta: Value, size: Integers], { readonly align_corners?: 0 | 1 }>;
  readonly attention: Method<
    [q: Value, k: Value, v: Value],
    {
      readonly is_causal?: 0 | 1;
      readonly kv_num_heads?: number;
      readonly q_num_heads?: number;
      readonly scale?: number;
      readonly softcap?: number;
    },
    [mask: Value]
  >;
  readonly col2Im: Method<[x: Value, image: Integers, block: Integers], Sliding>;
  readonly conv: Method<[x: Value, kernels: Value], Convolution, [bias: Value | undefined]>;
  readonly convTranspose: Method<
    [x: Value, kernels: Value],
    Convolution & { readonly output_padding?: readonly number[]; readonly output_shape?: readonly number[] },
    [bias: Value | undefined]
  >;
  readonly det: OfOne;
  readonly dft: Method<
    [x: Value],
    { readonly inverse?: 0 | 1; readonly onesided?: 0 | 1 },
    [length: Value | undefined, axis: Value | undefined]
  >;
  readonly einsum: (...given: readonly [...Value[], { readonly equation: string }]) => Value;
  /** α A′B′ + β C, where A′ and B′ are transposed if `transA` and `transB` are 1. */
  readonly gemm: Method<
    [a: Value, b: Value],
    { readonly alpha?: number; readonly beta?: number; readonly transA?: 0 | 1; readonly transB?: 0 | 1 },
    [c: Term | undefined]
  >;
  readonly gridSample: Method<
    [x: Value, grid: Value],
    {
      readonly align_corners?: 0 | 1;
      readonly mode?: "linear" | "nearest" | "cubic";
      readonly padding_mode?: "zeros" | "border" | "reflection";
    }
  >;
  readonly gru: Recurrent<Recurrence & { readonly linear_before_reset?: 0 | 1 }>;
  readonly lstm: Recurrent<Recurrence, [cell: Value | undefined, peepholes: Value | undefined]>;
  readonly matMul: (a: Value, b: Value) => Value;
  readonly convInteger: Method<
    [x: Value, weight: Value],
    Record<never, never>,
    [zeroOfX: Value | undefined, zeroOfWeight: Value | undefined]
  >;
  readonly matMulInteger: (a: Value, b: Value, zeroOfA?: Value, zeroOfB?: Value) => Value;
  readonly matMulNBits: Method<
    [a: Value, stored: Value, scales: Value],
    { readonly K: number; readonly N: number; readonly bits?: number; readonly block_size: number },
    [zeroPoints: Value | undefined]
  >;
  readonly rnn: Recurrent;
  readonly stft: Method<
    [signal: Value, step: Value],
    { readonly onesided?: 0 | 1 },
    [window: Value | undefined, length: Value | undefined]
  >;

  // Reductions
  readonly argMax: Largest;
  readonly argMin: Largest;
  readonly averagePool: Method<[x: Value], Pooling & { readonly count_include_pad?: 0 | 1 }>;
  readonly batchNormalization: Method<
    [x: Value, scale: Value, bias: Value, mean: Value, variance: Value],
    Epsilon & { readonly momentum?: number; readonly training_mode?: 0 | 1 }
  >;
  readonly cumSum: Method<
    [x: Value, axis: Value],
    { readonly exclusive?: number; readonly reverse?: number }
  >;
  readonly globalAveragePool: OfOne;
  readonly globalLpPool: Method<[x: Value], { readonly p?: number }>;
  readonly globalMaxPool: OfOne;
  readonly groupNormalization: Method<
    [x: Value, scale: Value, bias: Value],
    Epsilon & { readonly num_groups: number; readonly stash_type?: number }
  >;
  readonly instanceNormalization: Method<[x: Value, scale: Value, bias: Value], Epsilon>;
  readonly layerNormalization: Method<[x: Value, scale: Value], LayerStatistics, [bias: Value | undefined]>;
  readonly lpNormalization: Method<[x: Value], { readonly axis?: number; readonly p?: 1 | 2 }>;
  readonly lpPool: Method<[x: Value], Pooling & { readonly p?: number }>;
  readonly lrn: Method<
    [x: Value],
    { readonly alpha?: number; readonly beta?: number; readonly bias?: number; readonly size: number }
  >;
  readonly maxPool: Method<[x: Value], Pooling & { readonly storage_order?: 0 | 1 }>;
  readonly meanVarianceNormalization: Method<[x: Value], { readonly axes?: readonly number[] }>;
  readonly negativeLogLikelihoodLoss: Method<
    [logProbabilities: Value, labels: Value],
    ClassLoss,
    [weights: Value]
  >;
  readonly reduceL1: Reduction;
  readonly reduceL2: Reduction;
  readonly reduceLogSum: Reduction;
  readonly reduceLogSumExp: Reduction;
  readonly reduceMax: Reduction;
  readonly reduceMean: Reduction;
  readonly reduceMin: Reduction;
  readonly reduceProd: Reduction;
  readonly reduceSum: Reduction;
  readonly reduceSumSquare: Reduction;
  readonly rmsNormalization: Method<[x: Value, scale: Value], LayerStatistics>;
  readonly softmaxCrossEntropyLoss: Method<[scores: Value, labels: Value], ClassLoss, [weights: Value]>;
  /** The k largest (or smallest) along an axis, and their indices; k [1]. */
  readonly topK: (
    x: Value,
    k: Integers,
    attributes?: { readonly axis?: number; readonly largest?: 0 | 1; readonly sorted?: 0 | 1 },
  ) => [values: Value, indices: Value];

  // Layout
  readonly blackmanWindow: Window;
  readonly centerCropPad: Method<[x: Value, shape: Integers], { readonly axes?: readonly number[] }>;
  readonly compress: AlongAxisWhere;
  readonly concat: (...given: readonly [...Value[], { readonly axis: number }]) => Value;
  readonly constantOfShape: Method<[shape: Integers]>;
  readonly depthToSpace: Method<[x: Value], { readonly blocksize: number; readonly mode?: "DCR" | "CRD" }>;
  readonly expand: (x: Value, shape: Integers) => Value;
  readonly eyeLike: Method<[x: Value], { readonly dtype?: number; readonly k?: number }>;
  readonly flatten: AlongAxis;
  readonly gather: Method<[x: Value, indices: Integers], { readonly axis?: number }>;
  readonly gatherBlockQuantized: Method<
    [table: Value, indices: Value, scales: Value],
    { readonly bits?: number; readonly block_size?: number },
    [zeroPoints: Value | undefined]
  >;
  readonly gatherElements: Indexed;
  readonly gatherND: Method<[x: Value, indices: Value], { readonly batch_dims?: number }>;
  readonly hammingWindow: Window;
  readonly hannWindow: Window;
  readonly nonZero: OfOne;
  readonly oneHot: Method<[indices: Value, depth: Value, offAndOn: Integers], { readonly axis?: number }>;
  readonly pad: Method<
    [x: Value, pads: Integers],
    { readonly mode?: string },
    [value: Term | undefined, axes: Integers | undefined]
  >;
  readonly range: (start: Term, limit: Term, step: Term) => Value;
  readonly reshape: Method<[x: Value, shape: Integers], { readonly allowzero?: 0 | 1 }>;
  readonly resize: Method<
    [x: Value],
    {
      readonly antialias?: 0 | 1;
      readonly axes?: readonly number[];
      readonly coordinate_transformation_mode?: string;
      readonly cubic_coeff_a?: number;
      readonly exclude_outside?: 0 | 1;
      readonly extrapolation_value?: number;
      readonly keep_aspect_ratio_policy?: string;
      readonly mode?: "nearest" | "linear" | "cubic";
      readonly nearest_mode?: string;
    },
    [region: Value | undefined, scales: Value | undefined, sizes: Integers | undefined]
  >;
  readonly reverseSequence: Method<
    [x: Value, lengths: Value],
    { readonly batch_axis?: number; readonly time_axis?: number }
  >;
  readonly scatterElements: Method<
    [data: Value, indices: Value, updates: Value],
    { readonly axis?: number; readonly reduction?: string }
  >;
  readonly scatterND: Method<[data: Value, indices: Value, updates: Value], { readonly reduction?: string }>;
  readonly shape: Method<[x: Value], { readonly start?: number; readonly end?: number }>;
  readonly size: OfOne;
  readonly slice: (x: Value, starts: Integers, ends: Integers, axes?: Integers, steps?: Integers) => Value;
  readonly spaceToDepth: Method<[x: Value], { readonly blocksize: number }>;
  /** Parts along an axis, of these sizes or `num_outputs` equal ones. */
  readonly split: {
    (x: Value, sizes: readonly number[], attributes?: { readonly axis?: number }): Value[];
    (x: Value, attributes: { readonly axis?: number; readonly num_outputs: number }): Value[];
  };
  readonly squeeze: (x: Value, axes?: Integers) => Value;
  readonly tile: (x: Value, repeats: Integers) => Value;
  readonly transpose: Method<[x: Value], { readonly perm?: readonly number[] }>;
  readonly trilu: Method<[x: Value], { readonly upper?: number }, [diagonal: Value | undefined]>;
  readonly unsqueeze: (x: Value, axes: Integers) => Value;
}

type AlongAxisWhere = Method<[x: Value, condition: Value], { readonly axis?: number }>;
