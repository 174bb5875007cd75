/** Trigonometric and hyperbolic functions, and their inverses. */
import type { Value } from "../../onnx/graph.ts";
import type { Emitter } from "../emitter.ts";
import type { Op } from "../op.ts";
import { bounded, from, growing, type Range } from "../range.ts";
import { elementwise } from "../rules.ts";

/** d sin x = cos x dx */
export const Sin: Op = { ...elementwise((g, [x]) => g.cos(x)), range: bounded(-1, 1) };

/** d cos x = −sin x dx */
export const Cos: Op = { ...elementwise((g, [x]) => g.neg(g.sin(x))), range: bounded(-1, 1) };

/** d tan x = (1 + y²) dx */
export const Tan = elementwise((g, _, [y]) => g.add(square(g, y), 1));

/** d arcsin x = dx / √(1 − x²); infinite at ±1, as in PyTorch */
export const Asin: Op = {
  ...elementwise((g, [x]) => inverseRoot(g, unitMinus(g, x))),
  range: growing(Math.asin, from(-1, 1)),
};

/** d arccos x = −dx / √(1 − x²); infinite at ±1, as in PyTorch */
export const Acos: Op = {
  ...elementwise((g, [x]) => g.neg(inverseRoot(g, unitMinus(g, x)))),
  range: arccosine,
};

/** d arctan x = dx / (1 + x²) */
export const Atan: Op = {
  ...elementwise((g, [x]) => g.reciprocal(g.add(square(g, x), 1))),
  range: bounded(-Math.PI / 2, Math.PI / 2),
};

/** d sinh x = cosh x dx */
export const Sinh: Op = { ...elementwise((g, [x]) => g.cosh(x)), range: growing(Math.sinh) };

/** d cosh x = sinh x dx */
export const Cosh: Op = { ...elementwise((g, [x]) => g.sinh(x)), range: hyperbolicCosine };

/** d arsinh x = dx / √(x² + 1) */
export const Asinh = elementwise((g, [x]) => inverseRoot(g, g.add(square(g, x), 1)));

/** d arcosh x = dx / √((x − 1)(x + 1)); infinite at 1, as in PyTorch */
export const Acosh: Op = {
  ...elementwise((g, [x]) => inverseRoot(g, g.mul(g.sub(x, 1), g.add(x, 1)))),
  range: growing(Math.acosh, from(1, Number.POSITIVE_INFINITY)),
};

/** d artanh x = dx / (1 − x²); infinite at ±1, as in PyTorch */
export const Atanh: Op = {
  ...elementwise((g, [x]) => g.reciprocal(unitMinus(g, x))),
  range: growing(Math.atanh, from(-1, 1)),
};

/** Falling, and NaN outside [−1, 1]. */
function arccosine(input: (index: number) => Range): Range {
  const { low, high, ...marks } = input(0);
  return { ...marks, low: 0, high: Math.PI, nan: marks.nan || low < -1 || high > 1 };
}

function hyperbolicCosine(input: (index: number) => Range): Range {
  const { low, high, ...marks } = input(0);
  return { ...marks, low: 1, high: Math.max(-low, high) > 88 ? Number.POSITIVE_INFINITY : 2 ** 127 };
}

function square(g: Emitter, x: Value): Value {
  return g.mul(x, x);
}

/** 1 − x² as (1 − x)(1 + x), which keeps its digits near ±1. */
function unitMinus(g: Emitter, x: Value): Value {
  return g.mul(g.sub(1, x), g.add(x, 1));
}

/** 1/√x */
function inverseRoot(g: Emitter, x: Value): Value {
  return g.reciprocal(g.sqrt(x));
}
