/** Tangents that are orthogonal to each other. */
import { named } from "../settings/named.ts";
import { dimensionOf } from "./pieces.ts";
import type { Pieces, SamplerRule } from "./sampler.ts";

/**
 * Mutually orthogonal tangents of length √n, an orthonormal set times √n: E[v vᵀ] = I, and with n of them mean and
 * projection are exact. Beyond n, each further n are orthogonal among themselves.
 *
 * Gram-Schmidt on Gaussian numbers, twice for each tangent, in a fixed order: O(k²n).
 *
 * @source this library
 */
export const orthonormal = named("sampler", "orthonormal", {}, (): SamplerRule => {
  return {
    fill: "normal",
    radius: Math.sqrt,
    arrange(tangents) {
      const dimension = dimensionOf(tangents[0] ?? []);
      const scratch = new Float64Array(dimension);
      for (const [index, tangent] of tangents.entries()) {
        const start = index - (index % Math.max(dimension, 1));
        read(tangent, scratch);
        // Once leaves what rounding kept along the others when little remains; twice is enough (Giraud et al. 2005).
        for (let pass = 0; pass < 2; pass++)
          for (const other of tangents.slice(start, index)) removeAlong(scratch, other, dimension);
        write(scratch, tangent, Math.sqrt(dimension));
      }
    },
  };
});

function read(tangent: Pieces, out: Float64Array): void {
  let start = 0;
  for (const piece of tangent) {
    out.set(piece, start);
    start += piece.length;
  }
}

/** Subtracts from `vector` its part along a tangent of squared length n. */
function removeAlong(vector: Float64Array, tangent: Pieces, squaredLength: number): void {
  let product = 0;
  let start = 0;
  for (const piece of tangent) {
    for (let index = 0; index < piece.length; index++)
      product += (vector[start + index] as number) * (piece[index] as number);
    start += piece.length;
  }
  const factor = product / squaredLength;
  start = 0;
  for (const piece of tangent) {
    for (let index = 0; index < piece.length; index++)
      vector[start + index] = (vector[start + index] as number) - factor * (piece[index] as number);
    start += piece.length;
  }
}

/** Writes a vector, given this length, into the pieces of a tangent. */
function write(vector: Float64Array, tangent: Pieces, length: number): void {
  let square = 0;
  for (const value of vector) square += value * value;
  const factor = length / Math.sqrt(square);
  let start = 0;
  for (const piece of tangent) {
    for (let index = 0; index < piece.length; index++)
      piece[index] = factor * (vector[start + index] as number);
    start += piece.length;
  }
}
