/** Products of matrices. */
import { describeNode, float, formatShape, int, type Value } from "../../onnx/graph.ts";
import { nodeError } from "../../onnx/node-error.ts";
import { elementCount } from "../../onnx/tensor.ts";
import type { Emitter } from "../emitter.ts";
import { isFactored, type Op, type Tangent } from "../op.ts";
import { mixed } from "../range.ts";
import {
  align,
  alignRank,
  broadcastTangent,
  finite,
  only,
  outerProduct,
  output,
  reshape,
  stacked,
  sum,
  tangentCount,
  thinProduct,
  transpose,
  unbroadcast,
} from "../rules.ts";
import { arange, broadcastShapes, required, sizeOf } from "../shapes.ts";
import { type ComputedNode, floatAttribute, intAttribute, type NodeView } from "../view.ts";

/** d(A·B) = dA·B + A·dB */
export const MatMul: Op = {
  range: mixed,
  shape: (node) => {
    const [a, b] = [required(node, 0), required(node, 1)];
    const [left, right] = [matrixShape(a.shape, "row"), matrixShape(b.shape, "column")];
    if (a.shape.length === 0 || b.shape.length === 0 || left.at(-1) !== right.at(-2)) {
      throw nodeError(
        node.node,
        `cannot multiply ${formatShape(a.shape)} by ${formatShape(b.shape)}; the last ` +
          "axis of the first must equal the second-to-last axis of the second.",
      );
    }
    const batch = broadcastShapes([left.slice(0, -2), right.slice(0, -2)], describeNode(node.node));
    const rows = a.shape.length === 1 ? [] : [left.at(-2) as number];
    const columns = b.shape.length === 1 ? [] : [right.at(-1) as number];
    return [{ dtype: a.dtype, shape: [...batch, ...rows, ...columns] }];
  },
  jvp: (g, node, tangents) => matMulTangent(g, node, tangents),
  jvpFactored: (g, node, tangents) => matMulTangent(g, node, tangents),
  transpose: (g, node, cotangents, index) => {
    const [a, b] = [required(node, 0), required(node, 1)];
    const [aShape, bShape] = [matrixShape(a.shape, "row"), matrixShape(b.shape, "column")];
    const batch = output(node).shape.slice(
      0,
      output(node).shape.length - (a.shape.length > 1 ? 1 : 0) - (b.shape.length > 1 ? 1 : 0),
    );
    const [rows = 1, columns = 1] = [aShape.at(-2), bShape.at(-1)];
    const cotangent = reshape(g, only(cotangents), [...batch, rows, columns]);
    const target = index === 0 ? a : b;
    const matrix = index === 0 ? aShape : bShape;
    // Ā = C̄·Bᵀ and B̄ = Aᵀ·C̄, summed over repeated batch axes
    const product =
      index === 0
        ? g.matMul(cotangent, swapLast(g, reshape(g, b, bShape)))
        : sharedProduct(g, reshape(g, a, aShape), cotangent, matrix);
    return reshape(g, unbroadcast(g, product, matrix), target.shape);
  },
};

/** Aᵀ·C̄ for a matrix B shared by all batch entries: one product over the flattened batch. */
function sharedProduct(g: Emitter, a: Value, cotangent: Value, shape: readonly number[]): Value {
  const isShared = elementCount(shape.slice(0, -2)) === 1;
  if (isShared && elementCount(a.shape.slice(0, -2)) === elementCount(cotangent.shape.slice(0, -2))) {
    const count = elementCount(a.shape.slice(0, -1));
    const left = reshape(g, a, [count, sizeOf(a, -1)]);
    const right = reshape(g, cotangent, [count, sizeOf(cotangent, -1)]);
    return reshape(g, g.gemm(left, right, { transA: 1 }), shape);
  }
  return g.matMul(swapLast(g, a), cotangent);
}

/** A vector as a row (left operand) or a column (right operand). */
function matrixShape(shape: readonly number[], vector: "row" | "column"): readonly number[] {
  if (shape.length !== 1) return shape;
  return vector === "row" ? [1, ...shape] : [...shape, 1];
}

function swapLast(g: Emitter, value: Value): Value {
  const axes = arange(value.shape.length);
  const last = axes.length - 1;
  return transpose(g, value, [...axes.slice(0, -2), last, last - 1]);
}

function matMulTangent(g: Emitter, node: ComputedNode, [da, db]: readonly (Tangent | undefined)[]): Value[] {
  const [a, b] = [required(node, 0), required(node, 1)].map((one) => finite(g, one, one)) as [Value, Value];
  const y = output(node);
  const k = tangentCount(da ?? db);
  const [aShape, bShape] = [matrixShape(a.shape, "row"), matrixShape(b.shape, "column")];
  const rank = Math.max(aShape.length, bShape.length);
  const terms: Value[] = [];
  if (da) {
    const left = reshape(g, stacked(g, da, a.shape), [k, ...aShape]);
    terms.push(g.matMul(alignRank(g, left, aShape, rank), reshape(g, b, bShape)));
  }
  if (db) terms.push(rightTangent(g, reshape(g, a, aShape), db, bShape, rank));
  const shape = broadcastShapes(
    terms.map((term) => term.shape),
    describeNode(node.node),
  );
  const total = sum(g, terms) as Value;
  const full = elementCount(shape) === elementCount(total.shape) ? total : g.expand(total, shape);
  return [reshape(g, full, [k, ...y.shape])];
}

/** A·dB for k tangents of B. */
function rightTangent(g: Emitter, a: Value, db: Tangent, bShape: readonly number[], rank: number): Value {
  const k = tangentCount(db);
  const right = () => reshape(g, stacked(g, db, bShape), [k, ...bShape]);
  if (bShape.length > 2) return g.matMul(a, alignRank(g, right(), bShape, rank));
  // A matrix shared by the whole batch: one flattened left operand instead of k products per batch entry.
  const [before, columns = 0] = [a.shape.slice(0, -1), bShape[1]];
  const flat = reshape(g, a, [elementCount(before), sizeOf(a, -1)]);
  const product = isFactored(db)
    ? outerProduct(g, thinProduct(g, flat, db.left), db.right)
    : g.matMul(flat, right());
  return reshape(g, product, [k, ...before, columns]);
}

/** d(α A′B′ + β C) = α dA′B′ + α A′dB′ + β dC, where A′ and B′ are transposed if the attributes say so */
export const Gemm: Op = {
  range: mixed,
  shape: (node) => {
    const { rows, inner, columns, a, b } = gemmShapes(node);
    const bInner = b.shape[intAttribute(node.node, "transB", 0) === 1 ? 1 : 0];
    const c = node.inputs[2];
    if (a.shape.length !== 2 || b.shape.length !== 2 || inner !== bInner) {
      throw nodeError(
        node.node,
        `input A has shape ${formatShape(a.shape)}, expected ` +
          `${intAttribute(node.node, "transA", 0) === 1 ? `[${bInner}, *]` : `[*, ${bInner}]`} to match B of shape ` +
          `${formatShape(b.shape)}; check the sizes of the layers around it.`,
      );
    }
    if (
      c &&
      formatShape(broadcastShapes([c.shape, [rows, columns]], describeNode(node.node))) !==
        formatShape([rows, columns])
    ) {
      throw nodeError(
        node.node,
        `input C has shape ${formatShape(c.shape)}, expected to broadcast to ${formatShape([rows, columns])}.`,
      );
    }
    return [{ dtype: a.dtype, shape: [rows, columns] }];
  },
  defaults: { alpha: float(1), beta: float(1), transA: int(0), transB: int(0) },
  faster: turnedProduct,
  jvp: (g, node, tangents) => gemmTangent(g, node, tangents),
  jvpFactored: (g, node, tangents) => gemmTangent(g, node, tangents),
  transpose: (g, node, cotangents, index) => {
    const { transA, transB, alpha, a, b } = gemmShapes(node);
    const cotangent = only(cotangents);
    if (index === 2) {
      const beta = floatAttribute(node.node, "beta", 1);
      const summed = unbroadcast(g, cotangent, required(node, 2).shape);
      return scaled(g, beta, summed);
    }
    // Ā′ = α C̄·B′ᵀ, B̄′ = α A′ᵀ·C̄, each stored transposed if the attribute says so
    if (index === 0) {
      return transA
        ? g.gemm(b, cotangent, { alpha, transA: transB ? 1 : 0, transB: 1 })
        : g.gemm(cotangent, b, { alpha, transB: transB ? 0 : 1 });
    }
    return transB
      ? g.gemm(cotangent, a, { alpha, transA: 1, transB: transA ? 1 : 0 })
      : g.gemm(a, cotangent, { alpha, transA: transA ? 0 : 1 });
  },
};

/** From so many numbers of the second factor on the way round pays for two more nodes. */
const leastTurned = 2 ** 17;

/** A·Bᵀ + C = (B·Aᵀ + Cᵀ)ᵀ: engines copy the second factor into another order first, so it is the smaller one. */
function turnedProduct(g: Emitter, node: NodeView): readonly Value[] | undefined {
  const { transA, transB, alpha, rows, inner, columns, a, b } = gemmShapes(node);
  const c = node.inputs[2];
  const isRow = !c || elementCount(c.shape) === sizeOf(c, -1);
  if (transA || !transB || !isRow || columns < 4 * rows || columns * inner < leastTurned) return undefined;
  const beta = floatAttribute(node.node, "beta", 1);
  const turned = c
    ? g.gemm(b, a, reshape(g, c, [elementCount(c.shape), 1]), { alpha, beta, transB: 1 })
    : g.gemm(b, a, { alpha, transB: 1 });
  return [transpose(g, turned, [1, 0])];
}

function gemmShapes(node: NodeView) {
  const [a, b] = [required(node, 0), required(node, 1)];
  const transA = intAttribute(node.node, "transA", 0) === 1;
  const transB = intAttribute(node.node, "transB", 0) === 1;
  return {
    a,
    b,
    transA,
    transB,
    alpha: floatAttribute(node.node, "alpha", 1),
    rows: sizeOf(a, transA ? 1 : 0),
    inner: sizeOf(a, transA ? 0 : 1),
    columns: sizeOf(b, transB ? 0 : 1),
  };
}

function gemmTangent(
  g: Emitter,
  node: ComputedNode,
  [da, db, dc]: readonly (Tangent | undefined)[],
): Value[] {
  const { a, b, transA, transB, alpha, rows, inner, columns } = gemmShapes(node);
  const k = tangentCount(da ?? db ?? dc);
  const terms: Value[] = [];
  if (da) {
    const tangent = stacked(g, da, a.shape);
    const flat = reshape(g, transA ? transpose(g, tangent, [0, 2, 1]) : tangent, [k * rows, inner]);
    const product = g.gemm(flat, b, { alpha, transB: transB ? 1 : 0 });
    terms.push(reshape(g, product, [k, rows, columns]));
  }
  if (db) {
    const left = transA ? transpose(g, a, [1, 0]) : a;
    terms.push(scaled(g, alpha, gemmRightTangent(g, left, db, b.shape, transB)));
  }
  if (dc) {
    const tangent = align(g, stacked(g, dc, required(node, 2).shape), node, 2);
    terms.push(scaled(g, floatAttribute(node.node, "beta", 1), tangent));
  }
  return [broadcastTangent(g, sum(g, terms) as Value, output(node))];
}

/** A·dB′ for k tangents of B: [k, rows, columns]. */
function gemmRightTangent(
  g: Emitter,
  a: Value,
  db: Tangent,
  shape: readonly number[],
  transB: boolean,
): Value {
  const k = tangentCount(db);
  if (isFactored(db)) {
    const [near, far] = transB ? [db.right, db.left] : [db.left, db.right];
    return outerProduct(g, thinProduct(g, a, near), far);
  }
  if (!transB) return g.matMul(a, db);
  // Stored as [k, columns, inner], the k tangents are one tall matrix: a single product instead of k. Engines copy the second factor
  // into another order first, so it is the smaller one.
  const [columns = 0, inner = 0] = shape;
  const product = g.gemm(reshape(g, db, [k * columns, inner]), a, { transB: 1 });
  return transpose(g, reshape(g, product, [k, columns, sizeOf(a, 0)]), [0, 2, 1]);
}

function scaled(g: Emitter, factor: number, value: Value): Value {
  return factor === 1 ? value : g.mul(value, factor);
}
