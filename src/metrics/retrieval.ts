/** How well first halves of pairs find their second halves among all of them. */

/** Of pairs: whether the own second half is the nearest by the cosine, and how far behind it comes. */
export interface RetrievalMetrics {
  /** The share of first halves to which no other second half is nearer than their own. */
  readonly accuracy: number;
  /** The mean of 1 over the rank of the own one. */
  readonly meanReciprocalRank: number;
}

/** Gathers embeddings that lie in pairs, one behind the other. */
export class RetrievalTally {
  readonly #firsts: Float64Array[] = [];
  readonly #seconds: Float64Array[] = [];

  /** @param embeddings [rows, numbers] @param count rows that count, from the first on: whole pairs */
  add(embeddings: ArrayLike<number>, numbers: number, count: number): void {
    for (let row = 0; row < count; row++) {
      const own = Float64Array.from({ length: numbers }, (_, at) => embeddings[row * numbers + at] as number);
      const length = Math.sqrt(product(own, own)) || 1;
      (row % 2 === 0 ? this.#firsts : this.#seconds).push(own.map((value) => value / length));
    }
  }

  /** Of all pairs that were added. */
  metrics(): RetrievalMetrics {
    let [right, reciprocal] = [0, 0];
    for (const [index, first] of this.#firsts.entries()) {
      const cosines = this.#seconds.map((second) => product(first, second));
      const nearer = cosines.filter((cosine) => cosine > (cosines[index] as number)).length;
      if (nearer === 0) right++;
      reciprocal += 1 / (nearer + 1);
    }
    const pairs = this.#firsts.length;
    return { accuracy: right / pairs, meanReciprocalRank: reciprocal / pairs };
  }
}

function product(left: Float64Array, right: Float64Array): number {
  let sum = 0;
  for (let at = 0; at < left.length; at++) sum += (left[at] as number) * (right[at] as number);
  return sum;
}
