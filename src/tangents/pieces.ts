/** A tangent that lies in several arrays as one vector. */
import type { Pieces } from "./sampler.ts";

/** Numbers of all pieces together. */
export function dimensionOf(tangent: Pieces): number {
  return tangent.reduce((total, piece) => total + piece.length, 0);
}

/**
 * ⟨a, b⟩ in float64, piece after piece. Each piece has four sums, of every fourth number, because one sum waits for each
 * addition before the next.
 */
export function innerProduct(a: Pieces, b: Pieces): number {
  let total = 0;
  for (const [index, piece] of a.entries()) {
    const other = b[index] as Float32Array;
    const whole = piece.length - (piece.length % 4);
    let [first, second, third, fourth] = [0, 0, 0, 0];
    for (let position = 0; position < whole; position += 4) {
      first += (piece[position] as number) * (other[position] as number);
      second += (piece[position + 1] as number) * (other[position + 1] as number);
      third += (piece[position + 2] as number) * (other[position + 2] as number);
      fourth += (piece[position + 3] as number) * (other[position + 3] as number);
    }
    for (let position = whole; position < piece.length; position++)
      first += (piece[position] as number) * (other[position] as number);
    total += first + second + (third + fourth);
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
    for (let index = 0; index < piece.length; index++) piece[index] = (piece[index] as number) * factor;
}
