/** The Gram matrix of tangents: their products with each other. */
import type { SiteTangents } from "./site-tangents.ts";
import { rowOf, type TangentPart, type TangentSet } from "./tangent-set.ts";

/**
 * The Gram matrix G = V Vᵀ of k tangents over all parameters together, in float64: [k, k], row-major.
 * Factored tangents are never multiplied out: ⟨Σ u_a w_aᵀ, Σ u_b w_bᵀ⟩ = Σ_ab (u_a·u_b)(w_a·w_b).
 */
export function gram(set: TangentSet): Float64Array {
  const k = set.count;
  const total = new Float64Array(k * k);
  for (const [left, right] of partsByParameter(set)) {
    for (let i = 0; i < k; i++) {
      for (let j = 0; j <= i; j++) {
        const product = right
          ? factoredDot(left, right, i, j)
          : dot(rowOf(left.tensor, i), rowOf(left.tensor, j), 0, 0, 1);
        total[i * k + j] = (total[i * k + j] as number) + product;
        if (i !== j) total[j * k + i] = total[i * k + j] as number;
      }
    }
  }
  return total;
}

/**
 * The Gram matrix of one example's tangents over all sites, in float64, written into `matrix` [k, k].
 *
 * @param mask changes a copy of a site's tangents [k, size] first
 */
export function exampleGram(
  tangents: SiteTangents,
  example: number,
  matrix: Float64Array,
  mask?: (site: number, rows: Float32Array) => void,
): void {
  const { count, examples, sites } = tangents;
  matrix.fill(0);
  for (const [site, { size, tensor }] of sites.entries()) {
    const start = (examples === 1 ? 0 : example) * size;
    if (mask)
      addGram(
        matrix,
        maskedRows(tensor.data.subarray(start), count, size, examples * size, (rows) => mask(site, rows)),
        count,
        size,
      );
    else addGram(matrix, tensor.data.subarray(start), count, size, examples * size);
  }
}

/** A changed copy of k rows of this length, `stride` apart: [k, length]. */
export function maskedRows(
  rows: Float32Array,
  k: number,
  length: number,
  stride: number,
  mask: (rows: Float32Array) => void,
): Float32Array {
  const copy = new Float32Array(k * length);
  for (let i = 0; i < k; i++) copy.set(rows.subarray(i * stride, i * stride + length), i * length);
  mask(copy);
  return copy;
}

/**
 * Adds the products of k rows of this length, `stride` apart, in float64. Four products at once, of two rows with two,
 * read each number half as often.
 */
export function addGram(
  total: Float64Array,
  rows: Float32Array,
  k: number,
  length: number,
  stride = length,
): void {
  const put = (i: number, j: number, sum: number) => {
    total[i * k + j] = (total[i * k + j] as number) + sum;
    if (i !== j) total[j * k + i] = total[i * k + j] as number;
  };
  for (let i = 0; i < k; i += 2) {
    // An odd last row is taken twice and counted once.
    const below = i + 1 < k ? i + 1 : i;
    const [a, b] = [i * stride, below * stride];
    for (let j = 0; j <= i; j += 2) {
      const right = j + 1 < k ? j + 1 : j;
      const [c, d] = [j * stride, right * stride];
      let ac = 0;
      let ad = 0;
      let bc = 0;
      let bd = 0;
      for (let index = 0; index < length; index++) {
        const p = rows[a + index] as number;
        const q = rows[b + index] as number;
        const r = rows[c + index] as number;
        const s = rows[d + index] as number;
        ac += p * r;
        ad += p * s;
        bc += q * r;
        bd += q * s;
      }
      put(i, j, ac);
      if (below > i) put(below, j, bc);
      if (j < i) put(i, right, ad);
      if (below > i && right > j) put(below, right, bd);
    }
  }
}

/** Pairs of (left, right) factors, or a stacked part alone. */
export function partsByParameter(set: TangentSet): (readonly [TangentPart, TangentPart | undefined])[] {
  return set.parts.flatMap((part) => {
    if (part.role === "right") return [];
    const right = set.parts.find((other) => other.parameter === part.parameter && other.role === "right");
    return [[part, right] as const];
  });
}

function factoredDot(left: TangentPart, right: TangentPart, i: number, j: number): number {
  const rank = left.tensor.shape[2] as number;
  let total = 0;
  for (let a = 0; a < rank; a++) {
    for (let b = 0; b < rank; b++) {
      const rows = dot(rowOf(left.tensor, i), rowOf(left.tensor, j), a, b, rank);
      total += rows * dot(rowOf(right.tensor, i), rowOf(right.tensor, j), a, b, rank);
    }
  }
  return total;
}

/** Σ x[a + s·stride] y[b + s·stride] */
function dot(x: Float32Array, y: Float32Array, a: number, b: number, stride: number): number {
  let total = 0;
  for (let index = 0; index < x.length; index += stride)
    total += (x[index + a] as number) * (y[index + b] as number);
  return total;
}
