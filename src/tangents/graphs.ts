/**
 * Gram matrices and combinations as nodes of a graph. Apart from the same with numbers, so that programs that only count with
 * numbers load no op.
 */

import type { Value } from "../onnx/graph.ts";
import { elementCount } from "../onnx/tensor.ts";
import type { Emitter } from "../ops/emitter.ts";
import type { Tangent } from "../ops/op.ts";
import { reshape, transpose } from "../ops/rules.ts";
import { sizeOf } from "../ops/shapes.ts";

/** Emits the Gram matrix [k, k] of one parameter's tangents. */
export function emitGram(g: Emitter, tangent: Tangent): Value {
  if (!("left" in tangent)) {
    const k = sizeOf(tangent, 0);
    const size = rowSize(tangent);
    const pieces = pieceCount(size);
    // One product of few rows and many columns runs on one thread; a batch of shorter ones runs on all.
    if (pieces > 1) {
      const products = emitExampleGram(g, reshape(g, tangent, [k, pieces, size / pieces]));
      return g.reduceSum(products, [0], { keepdims: 0 });
    }
    const rows = reshape(g, tangent, [k, size]);
    return g.gemm(rows, rows, { transB: 1 });
  }
  const [k = 0, , rank = 0] = tangent.left.shape;
  const factorGram = (factor: Value) => {
    const turned = rank === 1 ? factor : transpose(g, factor, [0, 2, 1]);
    const rows = reshape(g, turned, [k * rank, sizeOf(factor, 1)]);
    return g.gemm(rows, rows, { transB: 1 });
  };
  const product = g.mul(factorGram(tangent.left), factorGram(tangent.right));
  if (rank === 1) return product;
  return g.reduceSum(reshape(g, product, [k, rank, k, rank]), [1, 3], { keepdims: 0 });
}

/** Emits the Gram matrices of each example's tangents at one site: [k, B, m] → [B, k, k]. */
export function emitExampleGram(g: Emitter, tangents: Value): Value {
  const byExample = transpose(g, tangents, [1, 0, 2]);
  return g.matMul(byExample, transpose(g, byExample, [0, 2, 1]));
}

function rowSize(tangent: Value): number {
  return tangent.shape.slice(1).reduce((product, size) => product * size, 1);
}

const pieceNumbers = 4096;
const mostPieces = 64;

/** Into how many equal pieces of at least `pieceNumbers` a row is cut. */
function pieceCount(size: number): number {
  let pieces = Math.max(1, Math.min(mostPieces, Math.floor(size / pieceNumbers)));
  while (size % pieces !== 0) pieces--;
  return pieces;
}

/** Emits Σ_i c_i v_i for one parameter of this shape; coefficients [k]. */
export function emitCombine(
  g: Emitter,
  tangent: Tangent,
  coefficients: Value,
  shape: readonly number[],
): Value {
  const k = coefficients.shape[0] as number;
  const size = shape.reduce((product, length) => product * length, 1);
  if (!("left" in tangent)) {
    const rows = reshape(g, tangent, [k, size]);
    return reshape(g, g.matMul(reshape(g, coefficients, [1, k]), rows), shape);
  }
  // Lᵀ-wise: [rows, k·r] · [k·r, columns], the coefficients folded into the left factor.
  const [, rows = 0, rank = 0] = tangent.left.shape;
  const columns = tangent.right.shape[1] as number;
  const weighted = g.mul(tangent.left, reshape(g, coefficients, [k, 1, 1]));
  const left = reshape(g, transpose(g, weighted, [1, 0, 2]), [rows, k * rank]);
  const right = reshape(g, transpose(g, tangent.right, [0, 2, 1]), [k * rank, columns]);
  return reshape(g, g.matMul(left, right), shape);
}

/** Emits V m, [k], for one parameter: the product of each of its tangents with an array of the parameter's shape. */
export function emitAlong(g: Emitter, tangent: Tangent, array: Value): Value {
  const size = elementCount(array.shape);
  if (!("left" in tangent)) {
    const k = sizeOf(tangent, 0);
    return reshape(g, g.matMul(reshape(g, tangent, [k, size]), reshape(g, array, [size, 1])), [k]);
  }
  // ⟨Σ_a u_a w_aᵀ, M⟩ = Σ_a (u_aᵀ M)·w_a
  const [k = 0, rows = 0, rank = 0] = tangent.left.shape;
  const columns = size / rows;
  const turned = (factor: Value, length: number) =>
    reshape(g, transpose(g, factor, [0, 2, 1]), [k * rank, length]);
  const products = g.mul(
    g.matMul(turned(tangent.left, rows), reshape(g, array, [rows, columns])),
    turned(tangent.right, columns),
  );
  return g.reduceSum(reshape(g, products, [k, rank * columns]), [1], { keepdims: 0 });
}

/** Emits each example's own combination at one site: tangents [k, B or 1, m], coefficients [k, B] → [B, m]. */
export function emitExampleCombine(g: Emitter, tangents: Value, coefficients: Value): Value {
  const [k = 0, batch = 0] = coefficients.shape;
  const [, examples = 0, size = 0] = tangents.shape;
  const byExample = transpose(g, coefficients, [1, 0]);
  if (examples === 1) return g.matMul(byExample, reshape(g, tangents, [k, size]));
  // ONNX Runtime fuses the transpose into the product; Mul and ReduceSum would pass over all tangents three times.
  const rows = g.matMul(reshape(g, byExample, [batch, 1, k]), transpose(g, tangents, [1, 0, 2]));
  return reshape(g, rows, [batch, size]);
}

/** Emits ⟨v_i,b, m_b⟩ at one site: tangents [k, B or 1, m], values [B, m] → [k, B]. */
export function emitExampleProducts(g: Emitter, tangents: Value, values: Value): Value {
  const [k = 0, examples = 0, size = 0] = tangents.shape;
  if (examples === 1) return g.gemm(reshape(g, tangents, [k, size]), values, { transB: 1 });
  const [batch = 0] = values.shape;
  // The Gram matrix reads the tangents in this order too.
  const products = g.matMul(transpose(g, tangents, [1, 0, 2]), reshape(g, values, [batch, size, 1]));
  return transpose(g, reshape(g, products, [batch, k]), [1, 0]);
}
