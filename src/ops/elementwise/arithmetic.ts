/** Arithmetic, powers, logarithms, extrema and sums of any number of operands, element by element. */
import type { Value } from "../../onnx/graph.ts";
import type { Emitter } from "../emitter.ts";
import type { Op } from "../op.ts";
import {
  anything,
  bounded,
  from,
  growing,
  hull,
  negative,
  plus,
  power as powerRange,
  quotient,
  type RangeRule,
  reciprocal,
  square,
  times,
  unchanged,
} from "../range.ts";
import {
  awayFromZero,
  cast,
  choose,
  choosing,
  elementwise,
  only,
  type PartialDerivative,
  unbroadcast,
  unexpanded,
} from "../rules.ts";
import { broadcastShape, required } from "../shapes.ts";
import type { NodeView } from "../view.ts";

/** d(a + b) = da + db */
export const Add: Op = {
  ...elementwise(
    () => 1,
    () => 1,
  ),
  range: (input) => plus(input(0), input(1)),
  transpose: (g, node, cotangents, index) => unbroadcast(g, only(cotangents), required(node, index).shape),
};

/** d(a − b) = da − db */
export const Sub: Op = {
  ...elementwise(
    () => 1,
    () => -1,
  ),
  range: (input) => plus(input(0), negative(input(1))),
  transpose: (g, node, cotangents, index) => {
    const cotangent = unbroadcast(g, only(cotangents), required(node, index).shape);
    return index === 0 ? cotangent : g.neg(cotangent);
  },
};

/** d(a·b) = b·da + a·db */
export const Mul: Op = {
  ...elementwise(
    (_, [, b]) => b,
    (_, [a]) => a,
  ),
  range: (input, { node }) =>
    node.inputs[0] === node.inputs[1] ? square(input(0)) : times(input(0), input(1)),
  transpose: (g, node, cotangents, index) => {
    const factor = required(node, 1 - index);
    const product = choose(g, unexpanded(g, only(cotangents), factor), factor);
    return unbroadcast(g, product, required(node, index).shape);
  },
};

/** d(a/b) = da/b − y·db/b */
export const Div: Op = {
  ...elementwise(
    (g, [, b]) => g.reciprocal(b),
    (g, [, b], [y]) => g.neg(g.div(y, b)),
  ),
  range: (input) => quotient(input(0), input(1)),
  // Linear in the numerator only.
  transpose: (g, node, cotangents, index) =>
    index === 0
      ? unbroadcast(g, g.div(only(cotangents), required(node, 1)), required(node, 0).shape)
      : undefined,
};

/** d(−x) = −dx */
export const Neg: Op = {
  ...elementwise(() => -1),
  range: (input) => negative(input(0)),
  transpose: (g, _, cotangents) => g.neg(only(cotangents)),
};

/** d|x| = sign(x) dx; 0 at 0, as in PyTorch */
export const Abs: Op = {
  ...choosing((g, [x]) => g.sign(x)),
  range: (input) => {
    const { low, high, ...marks } = input(0);
    return { ...marks, low: Math.max(0, low, -high), high: Math.max(-low, high) };
  },
};

/**
 * d(xᵖ) = p·xᵖ⁻¹ dx + xᵖ·ln x dp; the first is 0 where p = 0 and the second where x = 0 and p ≥ 0, as in PyTorch
 */
export const Pow: Op = {
  ...elementwise(
    (g, [x, p], _, node) => {
      const exponent = node.constant(1);
      const constant = exponent && exponent.data.length === 1 ? Number(exponent.data[0]) : undefined;
      if (constant === 1) return 1;
      if (constant === 2) return g.mul(x, 2);
      const power = cast(g, p, x.dtype);
      const slope = g.mul(power, g.pow(x, g.sub(power, 1)));
      return constant === undefined || constant === 0 ? g.where(g.equal(power, 0), 0, slope) : slope;
    },
    (g, [x, p], [y]) => {
      const settled = g.and(g.equal(x, 0), g.greaterOrEqual(p, 0));
      const logarithm = g.log(g.where(settled, 1, x));
      return g.where(settled, 0, g.mul(y, logarithm));
    },
  ),
  range: (input, node) => {
    const exponent = node.constant(1);
    if (exponent?.data.length === 1) return powerRange(input(0), Number(exponent.data[0]));
    return input(0).low > 0 ? { ...from(0, Number.POSITIVE_INFINITY), fed: input(0).fed } : anything;
  },
};

/** d√x = dx / 2√x; infinite at 0 */
export const Sqrt: Op = {
  ...elementwise((g, _, [y]) => g.div(0.5, awayFromZero(g, y))),
  range: growing(Math.sqrt, from(0, Number.POSITIVE_INFINITY)),
};

/** d(1/x) = −y² dx */
export const Reciprocal: Op = {
  ...elementwise((g, _, [y]) => g.neg(g.mul(y, y))),
  range: (input) => reciprocal(input(0)),
};

/** d eˣ = eˣ dx */
export const Exp: Op = { ...elementwise((_, __, [y]) => y), range: growing(Math.exp) };

/**
 * d ln x = dx / x; infinite at 0. ln σ(x) becomes −softplus(−x), and ln softmax(x) the op that does
 * both: what is left of a σ(−100) or a softmax in float32 has no logarithm.
 */
export const Log: Op = {
  ...elementwise((g, [x]) => g.reciprocal(x)),
  range: growing(Math.log, from(0, Number.POSITIVE_INFINITY)),
  lower: logarithmOfProbability,
};

/** d erf x = 2/√π · exp(−x²) dx */
export const Erf: Op = {
  ...elementwise((g, [x]) => g.mul(g.exp(g.neg(g.mul(x, x))), 2 / Math.sqrt(Math.PI))),
  range: bounded(-1, 1),
};

/**
 * d max(x₁, …) = Σ wᵢ dxᵢ, the weight shared evenly among ties, as in PyTorch's `maximum`; a single constant number is a
 * bound, which has all of it, as in PyTorch's `clamp`, which its exporters write so
 */
export const Max: Op = extremum(Math.max);

/** d min(x₁, …) = Σ wᵢ dxᵢ, as for Max */
export const Min: Op = extremum(Math.min);

function extremum(best: (...ends: number[]) => number): Op {
  const partial =
    (count: number, index: number): PartialDerivative =>
    (g, inputs, [y], node) => {
      if (count === 1) return 1;
      const bound = inputs.find(
        (_, position) => position !== index && node.constant(position)?.data.length === 1,
      );
      if (count === 2 && bound) return cast(g, g.not(g.equal(bound, y)), y.dtype);
      const chosen = inputs.map((input) => cast(g, g.equal(input, y), y.dtype));
      const ties = chosen.reduce((total, one) => g.add(total, one));
      return g.div(chosen[index] as Value, ties);
    };
  const range: RangeRule = (input, node) => {
    const given = node.inputs.map((_, index) => input(index));
    return {
      ...hull(...given),
      low: best(...given.map(({ low }) => low)),
      high: best(...given.map(({ high }) => high)),
    };
  };
  return { ...variadic(choosing, partial), range };
}

/** d(x₁ + …) = dx₁ + … */
export const Sum: Op = {
  ...variadic(elementwise, () => () => 1),
  range: (input, node) => node.inputs.map((_, index) => input(index)).reduce(plus, from(0, 0)),
};

/** d mean(x₁, …) = (dx₁ + …) / n */
export const Mean: Op = { ...variadic(elementwise, (count) => () => 1 / count), range: unchanged };

/** An elementwise op of any number of inputs; the partial derivative depends on their number and the place. */
function variadic(
  rule: typeof elementwise,
  partial: (count: number, index: number) => PartialDerivative,
): Op {
  return {
    shape: broadcastShape,
    jvp: (g, node, tangents) => {
      const partials = node.inputs.map((_, index) => partial(node.inputs.length, index));
      return rule(...partials).jvp?.(g, node, tangents) ?? [];
    },
  };
}

/** Ops that only move elements: a logarithm may be taken before them as well. */
const moves = new Set([
  "Expand",
  "Flatten",
  "Gather",
  "GatherElements",
  "GatherND",
  "Identity",
  "Reshape",
  "Slice",
  "Squeeze",
  "Transpose",
  "Unsqueeze",
]);

/** ln σ(x) and ln softmax(x), where moving ops may stand in between. */
function logarithmOfProbability(g: Emitter, node: NodeView): Value[] | undefined {
  const moved: NodeView[] = [];
  let source = g.producer(required(node, 0));
  while (source && moves.has(source.node.op)) {
    moved.unshift(source);
    source = g.producer(required(source, 0));
  }
  if (source?.node.op !== "Sigmoid" && source?.node.op !== "Softmax") return undefined;
  const x = required(source, 0);
  const logarithm =
    source.node.op === "Sigmoid" ? g.neg(g.softplus(g.neg(x))) : g.logSoftmax(x, source.node.attributes);
  const move = (value: Value, { node: { op, attributes }, inputs }: NodeView) =>
    g.emit(op, [value, ...inputs.slice(1)], attributes);
  return [moved.reduce(move, logarithm)];
}
