/** Rounding and remainders. */
import { int } from "../../onnx/graph.ts";
import type { Op } from "../op.ts";
import { elementwise, zero } from "../rules.ts";
import { sameShape } from "../shapes.ts";

// Piecewise constant: the derivative is 0, at the steps too, as in PyTorch.

export const Ceil = zero(sameShape);
export const Floor = zero(sameShape);
export const Round = zero(sameShape);
export const Sign = zero(sameShape);

/** d fmod(a, b) = da − trunc(a/b) db; at the steps as if the quotient stayed the same, as PyTorch's `fmod` */
export const Mod: Op = {
  ...elementwise(
    () => 1,
    // (a − y)/b is the truncated quotient but for rounding.
    (g, [a, b], [y]) => g.neg(g.round(g.div(g.sub(a, y), b))),
  ),
  defaults: { fmod: int(0) },
};
