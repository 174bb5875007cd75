/** Comparisons, truth values and bits. */

import { zero } from "../rules.ts";
import { broadcastShape, comparisonShape, required, sameShape } from "../shapes.ts";
import type { NodeView, ValueType } from "../view.ts";

// Truth values and bits carry no derivative.

export const Equal = zero(comparisonShape);
export const Greater = zero(comparisonShape);
export const GreaterOrEqual = zero(comparisonShape);
export const Less = zero(comparisonShape);
export const LessOrEqual = zero(comparisonShape);

export const And = zero(comparisonShape);
export const Or = zero(comparisonShape);
export const Xor = zero(comparisonShape);
export const Not = zero(sameShape);

export const IsNaN = zero(testShape);
export const IsInf = zero(testShape);

export const BitShift = zero(broadcastShape);
export const BitwiseAnd = zero(broadcastShape);
export const BitwiseOr = zero(broadcastShape);
export const BitwiseXor = zero(broadcastShape);
export const BitwiseNot = zero(sameShape);

/** Shape rule: a truth value for each element. */
function testShape(node: NodeView): ValueType[] {
  return [{ dtype: "bool", shape: required(node, 0).shape }];
}
