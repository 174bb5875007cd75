import type { Value } from "../onnx/graph.ts";
import type { Op } from "./op.ts";
import { cast, elementwise, only, type Partial, sum, unbroadcast } from "./rules.ts";
import { broadcastShape, required } from "./shapes.ts";

/** d(a + b) = da + db */
export const Add: Op = {
  ...elementwise(
    () => 1,
    () => 1,
  ),
  transpose: (g, node, cotangents, index) => unbroadcast(g, only(cotangents), required(node, index).shape),
};

/** d(a − b) = da − db */
export const Sub: Op = {
  ...elementwise(
    () => 1,
    () => -1,
  ),
  transpose: (g, node, cotangents, index) => {
    const cotangent = unbroadcast(g, only(cotangents), required(node, index).shape);
    return index === 0 ? cotangent : g.emit("Neg", [cotangent]);
  },
};

/** d(a·b) = b·da + a·db */
export const Mul: Op = {
  ...elementwise(
    (_, [, b]) => b as Value,
    (_, [a]) => a as Value,
  ),
  transpose: (g, node, cotangents, index) =>
    unbroadcast(g, g.emit("Mul", [only(cotangents), required(node, 1 - index)]), required(node, index).shape),
};

/** d(a/b) = da/b − y·db/b */
export const Div: Op = {
  ...elementwise(
    (g, [, b]) => g.emit("Reciprocal", [b]),
    (g, [, b], [y]) => g.emit("Neg", [g.emit("Div", [y, b])]),
  ),
  // Linear in the numerator only.
  transpose: (g, node, cotangents, index) =>
    index === 0
      ? unbroadcast(g, g.emit("Div", [only(cotangents), required(node, 1)]), required(node, 0).shape)
      : undefined,
};

/** d(−x) = −dx */
export const Neg: Op = {
  ...elementwise(() => -1),
  transpose: (g, _, cotangents) => g.emit("Neg", [only(cotangents)]),
};

/** d|x| = sign(x) dx; 0 at 0, as in PyTorch */
export const Abs = elementwise((g, [x]) => g.emit("Sign", [x]));

/**
 * d(xᵖ) = p·xᵖ⁻¹ dx + xᵖ·ln x dp; the first is 0 where p = 0 and the second where x = 0 and p ≥ 0, as in PyTorch
 */
export const Pow: Op = elementwise(
  (g, [x, p], _, node) => {
    const exponent = node.constant(1);
    const constant = exponent && exponent.data.length === 1 ? Number(exponent.data[0]) : undefined;
    if (constant === 1) return 1;
    if (constant === 2) return g.emit("Mul", [x, 2]);
    const floatExponent = p && x && p.dtype !== x.dtype ? cast(g, p, x.dtype) : p;
    const slope = g.emit("Mul", [floatExponent, g.emit("Pow", [x, g.emit("Sub", [floatExponent, 1])])]);
    return constant === undefined || constant === 0
      ? g.emit("Where", [g.emit("Equal", [floatExponent, 0]), 0, slope])
      : slope;
  },
  (g, [x, p], [y]) => {
    const settled = g.emit("And", [g.emit("Equal", [x, 0]), g.emit("GreaterOrEqual", [p, 0])]);
    const logarithm = g.emit("Log", [g.emit("Where", [settled, 1, x])]);
    return g.emit("Where", [settled, 0, g.emit("Mul", [y, logarithm])]);
  },
);

/** d√x = dx / 2√x */
export const Sqrt = elementwise((g, _, [y]) => g.emit("Div", [0.5, y]));

/** d(1/x) = −y² dx */
export const Reciprocal = elementwise((g, _, [y]) => g.emit("Neg", [g.emit("Mul", [y, y])]));

/** d eˣ = eˣ dx */
export const Exp = elementwise((_, __, [y]) => y as Value);

/** d ln x = dx / x */
export const Log = elementwise((g, [x]) => g.emit("Reciprocal", [x]));

/** d erf x = 2/√π · exp(−x²) dx */
export const Erf = elementwise((g, [x]) =>
  g.emit("Mul", [g.emit("Exp", [g.emit("Neg", [g.emit("Mul", [x, x])])]), 2 / Math.sqrt(Math.PI)]),
);

/** d max(x₁, …) = Σ wᵢ dxᵢ, the weight shared evenly among ties, as in PyTorch's `maximum` */
export const Max: Op = extremum();

/** d min(x₁, …) = Σ wᵢ dxᵢ, the weight shared evenly among ties, as in PyTorch's `minimum` */
export const Min: Op = extremum();

function extremum(): Op {
  return variadic((count, index) => (g, inputs, [y]) => {
    if (count === 1) return 1;
    const chosen = inputs.map((input) => cast(g, g.emit("Equal", [input, y]), (y as Value).dtype));
    return g.emit("Div", [chosen[index], sum(g, chosen)]);
  });
}

/** d(x₁ + …) = dx₁ + … */
export const Sum: Op = variadic(() => () => 1);

/** d mean(x₁, …) = (dx₁ + …) / n */
export const Mean: Op = variadic((count) => () => 1 / count);

/** An elementwise op of any number of inputs; the partial derivative depends on their number and the place. */
function variadic(partial: (count: number, index: number) => Partial): Op {
  return {
    shape: broadcastShape,
    jvp: (g, node, tangents) => {
      const partials = node.inputs.map((_, index) => partial(node.inputs.length, index));
      return elementwise(...partials).jvp?.(g, node, tangents) ?? [];
    },
  };
}
