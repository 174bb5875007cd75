/** Values made of shapes, indices and attributes. */
import { int } from "../../onnx/graph.ts";
import { unsupportedNode } from "../../onnx/node-error.ts";
import { dtypeFromNumber } from "../../onnx/tensor.ts";
import type { Op } from "../op.ts";
import { zero } from "../rules.ts";
import { required, requiredConstant } from "../shapes.ts";
import { intAttribute, type ValueType } from "../view.ts";

// They do not depend differentiably on anything.

export const Constant = zero((node): ValueType[] => {
  const { value, value_float, value_floats, value_int, value_ints } = node.node.attributes;
  if (value?.type === "tensor") return [{ dtype: value.value.dtype, shape: value.value.shape }];
  if (value_float) return [{ dtype: "float32", shape: [] }];
  if (value_int) return [{ dtype: "int64", shape: [] }];
  if (value_floats?.type === "floats") return [{ dtype: "float32", shape: [value_floats.value.length] }];
  if (value_ints?.type === "ints") return [{ dtype: "int64", shape: [value_ints.value.length] }];
  throw unsupportedNode(
    node.node,
    "expected one of the attributes value, value_float, value_floats, value_int or " +
      `value_ints, received ${Object.keys(node.node.attributes).join(", ") || "none"}; strings and sparse tensors are ` +
      "not supported.",
  );
});

export const ConstantOfShape = zero((node): ValueType[] => {
  const { value } = node.node.attributes;
  const dtype = value?.type === "tensor" ? value.value.dtype : "float32";
  return [{ dtype, shape: requiredConstant(node, 0, "shape") }];
});

export const EyeLike: Op = {
  ...zero((node) => {
    const { dtype, shape } = required(node, 0);
    return [{ dtype: dtypeFromNumber(intAttribute(node.node, "dtype", 0)) ?? dtype, shape }];
  }),
  defaults: { k: int(0) },
};

/** The number of nonzero elements must be known, because it is a size. */
export const NonZero = zero((node): ValueType[] => {
  const count = requiredConstant(node, 0, "input").filter((value) => value !== 0).length;
  return [{ dtype: "int64", shape: [required(node, 0).shape.length, count] }];
});

export const Range = zero((node): ValueType[] => {
  const [start = 0] = requiredConstant(node, 0, "start");
  const [limit = 0] = requiredConstant(node, 1, "limit");
  const [step = 1] = requiredConstant(node, 2, "delta");
  return [{ dtype: required(node, 0).dtype, shape: [Math.max(0, Math.ceil((limit - start) / step))] }];
});

export const Shape: Op = {
  ...zero((node) => {
    const rank = required(node, 0).shape.length;
    const clamp = (axis: number) => Math.min(Math.max(axis < 0 ? axis + rank : axis, 0), rank);
    const start = clamp(intAttribute(node.node, "start", 0));
    const end = clamp(intAttribute(node.node, "end", rank));
    return [{ dtype: "int64", shape: [Math.max(0, end - start)] }];
  }),
  defaults: { start: int(0) },
};

export const Size = zero((): ValueType[] => [{ dtype: "int64", shape: [] }]);
