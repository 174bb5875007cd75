import type { Pieces } from "./sampler.ts";

/** Numbers of all pieces together. */
export function dimensionOf(tangent: Pieces): number {
  return tangent.reduce((total, piece) => total + piece.length, 0);
}

/** ⟨a, b⟩ in float64, in the order of the pieces. */
export function innerProduct(a: Pieces, b: Pieces): number {
  let total = 0;
  for (const [index, piece] of a.entries()) {
    const other = b[index] as Float32Array;
    for (let place = 0; place < piece.length; place++)
      total += (piece[place] as number) * (other[place] as number);
  }
  return total;
}

/** Gives the vector made of all pieces this length. A vector of zeros stays. */
export function rescale(tangent: Pieces, length: number): void {
  const square = innerProduct(tangent, tangent);
  if (square > 0) scale(tangent, length / Math.sqrt(square));
}

/** Multiplies all pieces by a factor. */
export function scale(tangent: Pieces, factor: number): void {
  for (const piece of tangent)
    for (let place = 0; place < piece.length; place++) piece[place] = (piece[place] as number) * factor;
}
