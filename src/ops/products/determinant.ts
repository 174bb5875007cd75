/** Determinants. */
import { formatShape, type Value } from "../../onnx/graph.ts";
import { nodeError } from "../../onnx/node-error.ts";
import { elementCount, int64, tensorOf } from "../../onnx/tensor.ts";
import type { Emitter } from "../emitter.ts";
import type { Op } from "../op.ts";
import { ofFirst, transpose } from "../rules.ts";
import { arange, required, sizeOf } from "../shapes.ts";

/** d det A = Σᵢⱼ Cᵢⱼ dAᵢⱼ with the cofactors C, right for singular matrices too */
export const Det: Op = {
  shape: (node) => {
    const { dtype, shape } = required(node, 0);
    if (shape.length < 2 || shape.at(-1) !== shape.at(-2)) {
      throw nodeError(
        node.node,
        `the input has the shape ${formatShape(shape)}, expected square matrices on its last axes.`,
      );
    }
    return [{ dtype, shape: shape.slice(0, -2) }];
  },
  jvp: ofFirst((g, node, da) => {
    const a = required(node, 0);
    // The determinant of a matrix without rows is 1.
    if (elementCount(a.shape) === 0) return undefined;
    const terms = sizeOf(a, -1) === 1 ? da : g.mul(da, cofactors(g, a));
    return g.reduceSum(terms, [-2, -1], { keepdims: 0 });
  }),
};

/** Signed determinants of all minors: [..., n, n] */
function cofactors(g: Emitter, a: Value): Value {
  const size = sizeOf(a, -1);
  const lead = a.shape.length - 2;
  const indices = arange(size);
  const withoutOne = indices.flatMap((left) => indices.filter((index) => index !== left));
  const others = g.constant(int64(withoutOne, [size, size - 1]));
  const rows = g.gather(a, others, { axis: lead }); // [..., n, n−1, n]
  const both = g.gather(rows, others, { axis: lead + 2 }); // [..., n, n−1, n, n−1]
  const minors = transpose(g, both, [...arange(lead), lead, lead + 2, lead + 1, lead + 3]);
  const signs = indices.flatMap((row) => indices.map((column) => ((row + column) % 2 === 0 ? 1 : -1)));
  return g.mul(g.det(minors), g.constant(tensorOf(a.dtype, signs, [size, size])));
}
