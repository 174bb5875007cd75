/** The same elements in another shape or order, repeated, or side by side. */
import { describeNode, formatShape, int, type Value } from "../../onnx/graph.ts";
import { nodeError } from "../../onnx/node-error.ts";
import { elementCount } from "../../onnx/tensor.ts";
import type { Emitter } from "../emitter.ts";
import { isFactored, type Op } from "../op.ts";
import { unchanged } from "../range.ts";
import {
  align,
  broadcastTangent,
  ofFirst,
  only,
  output,
  reshape,
  reshapeTangent,
  sameDimensions,
  tangentCount,
  transpose,
  unbroadcast,
} from "../rules.ts";
import { axisOf, broadcastShapes, normalizeAxis, required, requiredConstant } from "../shapes.ts";
import { floatAttribute, intAttribute, intsAttribute, type NodeView, type ValueType } from "../view.ts";

/** Op that only gives the same elements another shape. */
function sameElements(shape: (node: NodeView) => readonly number[]): Op {
  return {
    shape: (node): ValueType[] => {
      const { dtype, shape: from } = required(node, 0);
      const to = shape(node);
      if (elementCount(from) !== elementCount(to)) {
        throw nodeError(
          node.node,
          `cannot give ${formatShape(from)} the shape ${formatShape(to)}; the number of ` +
            "elements must stay the same.",
        );
      }
      return [{ dtype, shape: to }];
    },
    jvp: ofFirst((g, node, dx) => reshapeTangent(g, dx, output(node))),
    transpose: (g, node, cotangents) => reshape(g, only(cotangents), required(node, 0).shape),
  };
}

/** d reshape(x) = reshape(dx) */
export const Reshape: Op = {
  range: unchanged,
  ...sameElements((node) => {
    const from = required(node, 0).shape;
    const keepZero = intAttribute(node.node, "allowzero", 0) === 1;
    const target = requiredConstant(node, 1, "shape").map((size, axis) =>
      size === 0 && !keepZero ? (from[axis] ?? 0) : size,
    );
    const known = elementCount(target.filter((size) => size !== -1));
    return target.map((size) => (size === -1 ? elementCount(from) / Math.max(known, 1) : size));
  }),
  defaults: { allowzero: int(0) },
};

/** d flatten(x) = flatten(dx) */
export const Flatten: Op = {
  range: unchanged,
  ...sameElements((node) => {
    const { shape } = required(node, 0);
    const axis = intAttribute(node.node, "axis", 1);
    const split = axis < 0 ? axis + shape.length : axis;
    return [elementCount(shape.slice(0, split)), elementCount(shape.slice(split))];
  }),
  defaults: { axis: int(1) },
};

/** d squeeze(x) = squeeze(dx) */
export const Squeeze: Op = {
  ...sameElements((node) => {
    const { shape } = required(node, 0);
    const axes = node.inputs[1]
      ? requiredConstant(node, 1, "axes").map((axis) => normalizeAxis(axis, shape.length, node))
      : undefined;
    return shape.filter((size, axis) => (axes ? !axes.includes(axis) : size !== 1));
  }),
  range: unchanged,
};

/** d unsqueeze(x) = unsqueeze(dx) */
export const Unsqueeze: Op = {
  ...sameElements((node) => {
    const rest = [...required(node, 0).shape];
    const listed = requiredConstant(node, 1, "axes");
    const rank = rest.length + listed.length;
    const axes = listed.map((axis) => normalizeAxis(axis, rank, node));
    return Array.from({ length: rank }, (_, axis) => (axes.includes(axis) ? 1 : (rest.shift() as number)));
  }),
  range: unchanged,
};

/** d transpose(x) = transpose(dx) */
export const Transpose: Op = {
  range: unchanged,
  shape: (node) => {
    const { dtype, shape } = required(node, 0);
    return [{ dtype, shape: permutationOf(node).map((axis) => shape[axis] as number) }];
  },
  jvp: ofFirst((g, node, dx) => transpose(g, dx, [0, ...permutationOf(node).map((axis) => axis + 1)])),
  // Of a matrix only the two factors change places.
  jvpFactored: (_, node, [tangent]) => {
    if (!isFactored(tangent) || output(node).shape.length !== 2) return undefined;
    const isSwap = permutationOf(node)[0] === 1;
    return [isSwap ? { left: tangent.right, right: tangent.left } : tangent];
  },
  transpose: (g, node, cotangents) => {
    const inverse: number[] = [];
    permutationOf(node).forEach((axis, index) => {
      inverse[axis] = index;
    });
    const cotangent = only(cotangents);
    return swappedProduct(g, cotangent, inverse) ?? transpose(g, cotangent, inverse);
  },
};

/** (A·B)ᵀ = Bᵀ·Aᵀ: the transpose of a product of matrices is another one, and moves nothing. */
function swappedProduct(g: Emitter, value: Value, permutation: readonly number[]): Value | undefined {
  const product = g.origin(value);
  const gemm = g.producer(product);
  const moved = permutation.filter((axis) => value.shape[axis] !== 1);
  const [a, b, c] = gemm?.inputs ?? [];
  if (gemm?.node.op !== "Gemm" || !a || !b || c || moved.length !== 2) return undefined;
  const sizes = moved.map((axis) => value.shape[axis] as number);
  if (!sameDimensions(sizes, product.shape.toReversed()) || (moved[0] as number) < (moved[1] as number))
    return undefined;
  const isTransposed = (name: string) => intAttribute(gemm.node, name, 0) === 1;
  const swapped = g.gemm(b, a, {
    alpha: floatAttribute(gemm.node, "alpha", 1),
    transA: isTransposed("transB") ? 0 : 1,
    transB: isTransposed("transA") ? 0 : 1,
  });
  return reshape(
    g,
    swapped,
    permutation.map((axis) => value.shape[axis] as number),
  );
}

function permutationOf(node: NodeView): number[] {
  const rank = required(node, 0).shape.length;
  const listed = intsAttribute(node.node, "perm");
  return listed ? [...listed] : Array.from({ length: rank }, (_, axis) => rank - 1 - axis);
}

/** d expand(x) = expand(dx) */
export const Expand: Op = {
  range: unchanged,
  shape: (node) => {
    const { dtype, shape } = required(node, 0);
    const target = requiredConstant(node, 1, "shape");
    return [{ dtype, shape: broadcastShapes([shape, target], describeNode(node.node)) }];
  },
  jvp: ofFirst((g, node, dx) => broadcastTangent(g, align(g, dx, node, 0), output(node))),
  transpose: (g, node, cotangents) => unbroadcast(g, only(cotangents), required(node, 0).shape),
};

/** d concat(x₁, …) = concat(dx₁, …) */
export const Concat: Op = {
  range: unchanged,
  shape: (node) => {
    const first = required(node, 0);
    const axis = axisOf(node, 0);
    let size = 0;
    for (const input of node.inputs) {
      const matches = input?.shape.every(
        (other, position) => position === axis || other === first.shape[position],
      );
      if (!input || input.shape.length !== first.shape.length || !matches) {
        throw nodeError(
          node.node,
          `cannot join ${formatShape(input?.shape ?? [])} to ${formatShape(first.shape)} ` +
            `along axis ${axis}; all other axes must agree.`,
        );
      }
      size += input.shape[axis] as number;
    }
    return [{ dtype: first.dtype, shape: first.shape.with(axis, size) }];
  },
  jvp: (g, node, tangents) => {
    const k = tangentCount(tangents.find((tangent) => tangent !== undefined));
    const parts = tangents.map((tangent, index) => {
      const { dtype, shape } = required(node, index);
      return tangent ?? g.expand(g.scalar(dtype, 0), [k, ...shape]);
    });
    return [g.concat(...parts, { axis: axisOf(node, 0) + 1 })];
  },
  transpose: (g, node, cotangents, index) => {
    const axis = axisOf(node, 0);
    const sizes = node.inputs.map((input) => input?.shape[axis] ?? 0);
    const start = sizes.slice(0, index).reduce((total, size) => total + size, 0);
    return g.slice(only(cotangents), [start], [start + (sizes[index] as number)], [axis]);
  },
};

/** d tile(x) = tile(dx) */
export const Tile: Op = {
  range: unchanged,
  shape: (node) => {
    const { dtype, shape } = required(node, 0);
    const repeats = requiredConstant(node, 1, "repeats");
    if (repeats.length !== shape.length) {
      throw nodeError(
        node.node,
        `${repeats.length} repeats for the input ${formatShape(shape)}; expected one for each axis.`,
      );
    }
    return [{ dtype, shape: shape.map((size, axis) => size * (repeats[axis] as number)) }];
  },
  jvp: ofFirst((g, node, dx) => g.tile(dx, [1, ...repeatsOf(node)])),
  // Each axis splits into its repeats, which add up, and the size.
  transpose: (g, node, cotangents) => {
    const { shape } = required(node, 0);
    const repeats = repeatsOf(node);
    if (shape.length === 0) return only(cotangents);
    const split = shape.flatMap((size, axis) => [repeats[axis] as number, size]);
    const axes = shape.map((_, axis) => 2 * axis);
    return g.reduceSum(reshape(g, only(cotangents), split), axes, { keepdims: 0 });
  },
};

function repeatsOf(node: NodeView): number[] {
  return requiredConstant(node, 1, "repeats");
}
