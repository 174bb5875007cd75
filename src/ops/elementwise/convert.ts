/** The same numbers, or the same in another type. */
import { unsupportedNode } from "../../onnx/node-error.ts";
import { dtypeFromNumber, isFloat } from "../../onnx/tensor.ts";
import type { Emitter } from "../emitter.ts";
import { isFactored, type Op, type Tangent } from "../op.ts";
import { unchanged } from "../range.ts";
import { cast, only, output } from "../rules.ts";
import { required, sameShape } from "../shapes.ts";
import { type ComputedNode, intAttribute } from "../view.ts";

/** d identity(x) = dx */
export const Identity: Op = {
  range: unchanged,
  shape: sameShape,
  jvp: (_, __, tangents) => tangents.slice(0, 1),
  jvpFactored: (_, __, tangents) => tangents.slice(0, 1),
  transpose: (_, __, cotangents) => only(cotangents),
};

/** d cast(x) = cast(dx) between float types; integers and truth values carry no derivative */
export const Cast: Op = {
  range: (input) => input(0),
  shape: (node) => {
    const number = intAttribute(node.node, "to", 0);
    const dtype = dtypeFromNumber(number);
    if (!dtype) {
      throw unsupportedNode(node.node, `its target type has ONNX number ${number}, which is not supported.`);
    }
    return [{ dtype, shape: required(node, 0).shape }];
  },
  jvp: castTangent as NonNullable<Op["jvp"]>,
  jvpFactored: castTangent,
  transpose: (g, node, cotangents) => cast(g, only(cotangents), required(node, 0).dtype),
};

/** d castLike(x, t) = cast(dx) between float types; t gives only its type, so the emitted form does not read it */
export const CastLike: Op = {
  shape: (node) => [{ dtype: required(node, 1).dtype, shape: required(node, 0).shape }],
  lower: (g, node) => [cast(g, required(node, 0), required(node, 1).dtype)],
  jvp: castTangent as NonNullable<Op["jvp"]>,
  jvpFactored: castTangent,
};

function castTangent(
  g: Emitter,
  node: ComputedNode,
  [tangent]: readonly (Tangent | undefined)[],
): (Tangent | undefined)[] {
  const { dtype } = output(node);
  if (!tangent || !isFloat(dtype)) return [undefined];
  if (!isFactored(tangent)) return [cast(g, tangent, dtype)];
  return [{ left: cast(g, tangent.left, dtype), right: cast(g, tangent.right, dtype) }];
}
