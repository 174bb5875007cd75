/** How far predicted values are from true ones, gathered part by part. */

/** Of predicted values. */
export interface RegressionMetrics {
  /** Mean of |ŷ − y|, in the targets' units. */
  readonly meanAbsoluteError: number;
  /** √ of the mean of (ŷ − y)², in the targets' units. */
  readonly rootMeanSquaredError: number;
  /**
   * R² = 1 − Σ(ŷ − y)²/Σ(y − ȳ)²: the share of the targets' variance that is explained; negative where the mean would be better. Of targets of
   * several numbers, the mean over the numbers. undefined where the targets are all the same.
   */
  readonly r2: number | undefined;
}

/** Sums over examples, to which more are added. */
export class RegressionTally {
  readonly #size: number;
  #count = 0;
  #absolute = 0;
  // By number of the target: Welford's running mean and sum of squares, which lose no digits to a large mean.
  readonly #mean: Float64Array;
  readonly #spread: Float64Array;
  readonly #squares: Float64Array;

  /** @param size numbers in one target */
  constructor(size: number) {
    this.#size = size;
    this.#mean = new Float64Array(size);
    this.#spread = new Float64Array(size);
    this.#squares = new Float64Array(size);
  }

  /**
   * Adds examples.
   *
   * @param predictions [count, size], row-major
   * @param targets [count, size]
   */
  add(predictions: ArrayLike<number>, targets: ArrayLike<number>, count: number): void {
    for (let example = 0; example < count; example++) {
      this.#count++;
      for (let index = 0; index < this.#size; index++) {
        const target = targets[example * this.#size + index] as number;
        const error = (predictions[example * this.#size + index] as number) - target;
        const before = this.#mean[index] as number;
        const mean = before + (target - before) / this.#count;
        this.#mean[index] = mean;
        this.#spread[index] = (this.#spread[index] as number) + (target - before) * (target - mean);
        this.#squares[index] = (this.#squares[index] as number) + error ** 2;
        this.#absolute += Math.abs(error);
      }
    }
  }

  /** The metrics so far; undefined before the first example. */
  metrics(): RegressionMetrics | undefined {
    const numbers = this.#count * this.#size;
    if (numbers === 0) return undefined;
    const shares = Array.from(this.#squares, (square, index) => {
      const spread = this.#spread[index] as number;
      return spread > 0 ? 1 - square / spread : undefined;
    }).filter((share) => share !== undefined);
    return {
      meanAbsoluteError: this.#absolute / numbers,
      rootMeanSquaredError: Math.sqrt(this.#squares.reduce((sum, square) => sum + square, 0) / numbers),
      r2: shares.length === 0 ? undefined : shares.reduce((sum, share) => sum + share, 0) / shares.length,
    };
  }
}
