/** Combines tangents with coefficients: the forward gradient. */
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
        for (let index = 0; index < size; index++)
          sum[index] = (sum[index] as number) + weight * (row[index] as number);
        continue;
      }
      const other = rowOf(right.tensor, tangent);
      for (let index = 0; index < size; index++) {
        const [i, j] = [Math.floor(index / columns), index % columns];
        for (let a = 0; a < rank; a++)
          sum[index] =
            (sum[index] as number) + weight * (row[i * rank + a] as number) * (other[j * rank + a] as number);
      }
    }
    result.set(left.parameter, sum);
  }
  return result;
}
