import type { Value } from "../onnx/graph.ts";
import type { Emitter } from "../ops/emitter.ts";
import type { Tangent } from "../ops/op.ts";
import { reshape, transpose } from "../ops/rules.ts";
import { partsByParameter } from "./gram.ts";
import { rowOf, type TangentSet } from "./tangent-set.ts";

/**
 * The forward gradient ĝ = V c, by parameter, each as flat array [...shape]. Sums run in float64.
 *
 * @param coefficients c, [k]
 */
export function combine(set: TangentSet, coefficients: Float64Array): Map<string, Float64Array> {
  const result = new Map<string, Float64Array>();
  for (const [left, right] of partsByParameter(set)) {
    const [, rows = 1, rank = 1] = left.tensor.shape;
    const columns = right?.tensor.shape[1] ?? 1;
    const size = right ? rows * columns : rowOf(left.tensor, 0).length;
    const sum = new Float64Array(size);
    for (let tangent = 0; tangent < set.count; tangent++) {
      const weight = coefficients[tangent] as number;
      const row = rowOf(left.tensor, tangent);
      if (!right) {
        for (let place = 0; place < size; place++)
          sum[place] = (sum[place] as number) + weight * (row[place] as number);
        continue;
      }
      const other = rowOf(right.tensor, tangent);
      for (let place = 0; place < size; place++) {
        const [i, j] = [Math.floor(place / columns), place % columns];
        for (let a = 0; a < rank; a++)
          sum[place] =
            (sum[place] as number) + weight * (row[i * rank + a] as number) * (other[j * rank + a] as number);
      }
    }
    result.set(left.parameter, sum);
  }
  return result;
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
