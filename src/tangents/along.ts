/** Derivatives along tangents from a known gradient. */
import { partsByParameter } from "./gram.ts";
import { innerProduct } from "./pieces.ts";
import type { SiteTangents } from "./site-tangents.ts";
import { rowOf, type TangentSet } from "./tangent-set.ts";

type Gradients = Readonly<Record<string, Float32Array>>;

/**
 * d = V ∇f, [k], in float64: the directional derivatives along all tangents of a known gradient, by parameter. Factored
 * tangents are never multiplied out: ⟨u wᵀ, G⟩ = uᵀ G w.
 */
export function derivativesAlong(set: TangentSet, gradients: Gradients, derivatives: Float64Array): void {
  derivatives.fill(0);
  for (const [left, right] of partsByParameter(set)) {
    const gradient = gradients[left.parameter];
    if (!gradient) continue;
    for (let tangent = 0; tangent < set.count; tangent++) {
      const row = rowOf(left.tensor, tangent);
      const product = right
        ? bilinear(row, gradient, rowOf(right.tensor, tangent), left.tensor.shape[2] as number)
        : innerProduct([row], [gradient]);
      derivatives[tangent] = (derivatives[tangent] as number) + product;
    }
  }
}

/** Σ_a u_aᵀ G w_a for u [rows, r], G [rows, columns] and w [columns, r]. */
function bilinear(u: Float32Array, matrix: Float32Array, w: Float32Array, rank: number): number {
  const columns = w.length / rank;
  let total = 0;
  for (let i = 0; i < u.length / rank; i++) {
    for (let a = 0; a < rank; a++) {
      let product = 0;
      for (let j = 0; j < columns; j++)
        product += (matrix[i * columns + j] as number) * (w[j * rank + a] as number);
      total += (u[i * rank + a] as number) * product;
    }
  }
  return total;
}

/**
 * d_i,b = ⟨v_i,b, ∂ℓ_b/∂s_b⟩ over all sites s, [k, batch], in float64: each example's derivatives along its own tangents,
 * or along those that all examples share.
 *
 * @param gradients ∂ℓ_b/∂s_b of all examples, by site
 */
export function exampleDerivativesAlong(
  tangents: SiteTangents,
  gradients: Gradients,
  derivatives: Float64Array,
): void {
  derivatives.fill(0);
  const batch = derivatives.length / tangents.count;
  for (const { value, size, tensor } of tangents.sites) {
    const gradient = gradients[value];
    if (!gradient) continue;
    for (let index = 0; index < derivatives.length; index++) {
      const [tangent, example] = [Math.floor(index / batch), index % batch];
      const row = tangents.examples === 1 ? tangent : tangent * tangents.examples + example;
      const product = innerProduct(
        [tensor.data.subarray(row * size, (row + 1) * size)],
        [gradient.subarray(example * size, (example + 1) * size)],
      );
      derivatives[index] = (derivatives[index] as number) + product;
    }
  }
}
