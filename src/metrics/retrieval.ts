/** How well first halves of pairs find their second halves among all of them. */

/** Of pairs: whether the own second half is the nearest by the cosine, and how far behind it comes. */
export interface RetrievalMetrics {
  /** The share of first halves to which their own second half is the nearest; of n equally near ones it is found once in n times. */
  readonly accuracy: number;
  /** The mean of 1 over the rank of the own one, which equally near ones share by chance. */
  readonly meanReciprocalRank: number;
}

/** What the first half of a pair finds. */
export interface RetrievalMiss {
  /** The number of the pair. */
  readonly pair: number;
  /** Of which pair the nearest second half is. */
  readonly taken: number;
  /** The cosine to its own second half, and to the nearest one. */
  readonly own: number;
  readonly nearest: number;
  /** How far behind the own one comes: 1 is the nearest. */
  readonly rank: number;
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
    const found = this.#firsts.map((_, pair) => this.#found(pair));
    const mean = (of: (one: (typeof found)[number]) => number) =>
      found.reduce((sum, one) => sum + of(one), 0) / found.length;
    return {
      accuracy: mean(({ rank, equal }) => (rank === 1 ? 1 / equal : 0)),
      // Each of the ranks that equally near ones share is as likely as the others.
      meanReciprocalRank: mean(({ rank, equal }) => {
        const reciprocals = Array.from({ length: equal }, (_, behind) => 1 / (rank + behind));
        return reciprocals.reduce((sum, each) => sum + each, 0) / equal;
      }),
    };
  }

  /** Pairs of which another second half is nearer than the own one: those with the widest gap first. */
  misses(most: number): RetrievalMiss[] {
    const gap = ({ nearest, own }: RetrievalMiss) => nearest - own;
    return this.#firsts
      .map((_, pair) => this.#found(pair))
      .filter(({ rank }) => rank > 1)
      .sort((a, b) => gap(b) - gap(a))
      .slice(0, most)
      .map(({ equal: _, ...miss }) => miss);
  }

  /** With how many second halves are as near as the own one, itself among them: all of them where embeddings are no numbers. */
  #found(pair: number): RetrievalMiss & { readonly equal: number } {
    const first = this.#firsts[pair] as Float64Array;
    const cosines = this.#seconds.map((second) => product(first, second));
    const own = cosines[pair] as number;
    let taken = pair;
    for (const [other, cosine] of cosines.entries()) if (cosine > (cosines[taken] as number)) taken = other;
    const nearer = cosines.filter((cosine) => cosine > own).length;
    const farther = cosines.filter((cosine) => cosine < own).length;
    const equal = cosines.length - nearer - farther;
    return { pair, taken, own, nearest: cosines[taken] as number, rank: nearer + 1, equal };
  }
}

function product(left: Float64Array, right: Float64Array): number {
  let sum = 0;
  for (let at = 0; at < left.length; at++) sum += (left[at] as number) * (right[at] as number);
  return sum;
}
