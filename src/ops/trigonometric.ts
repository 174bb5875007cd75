import type { Value } from "../onnx/graph.ts";
import type { Emitter } from "./op.ts";
import { elementwise } from "./rules.ts";

/** d sin x = cos x dx */
export const Sin = elementwise((g, [x]) => g.emit("Cos", [x]));

/** d cos x = −sin x dx */
export const Cos = elementwise((g, [x]) => g.emit("Neg", [g.emit("Sin", [x])]));

/** d tan x = (1 + y²) dx */
export const Tan = elementwise((g, _, [y]) => g.emit("Add", [square(g, y), 1]));

/** d arcsin x = dx / √(1 − x²); infinite at ±1, as in PyTorch */
export const Asin = elementwise((g, [x]) => inverseRoot(g, unitMinus(g, x)));

/** d arccos x = −dx / √(1 − x²); infinite at ±1, as in PyTorch */
export const Acos = elementwise((g, [x]) => g.emit("Neg", [inverseRoot(g, unitMinus(g, x))]));

/** d arctan x = dx / (1 + x²) */
export const Atan = elementwise((g, [x]) => g.emit("Reciprocal", [g.emit("Add", [square(g, x), 1])]));

/** d sinh x = cosh x dx */
export const Sinh = elementwise((g, [x]) => g.emit("Cosh", [x]));

/** d cosh x = sinh x dx */
export const Cosh = elementwise((g, [x]) => g.emit("Sinh", [x]));

/** d arsinh x = dx / √(x² + 1) */
export const Asinh = elementwise((g, [x]) => inverseRoot(g, g.emit("Add", [square(g, x), 1])));

/** d arcosh x = dx / √((x − 1)(x + 1)); infinite at 1, as in PyTorch */
export const Acosh = elementwise((g, [x]) =>
  inverseRoot(g, g.emit("Mul", [g.emit("Sub", [x, 1]), g.emit("Add", [x, 1])])),
);

/** d artanh x = dx / (1 − x²); infinite at ±1, as in PyTorch */
export const Atanh = elementwise((g, [x]) => g.emit("Reciprocal", [unitMinus(g, x)]));

function square(g: Emitter, value: Value | undefined): Value {
  return g.emit("Mul", [value, value]);
}

/** 1 − x² as (1 − x)(1 + x), which keeps its digits near ±1. */
function unitMinus(g: Emitter, x: Value | undefined): Value {
  return g.emit("Mul", [g.emit("Sub", [1, x]), g.emit("Add", [x, 1])]);
}

function inverseRoot(g: Emitter, value: Value): Value {
  return g.emit("Reciprocal", [g.emit("Sqrt", [value])]);
}
