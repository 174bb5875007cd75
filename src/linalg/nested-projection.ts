/** Rows eliminated together, so that an earlier row is read from memory once for all of them. */
const blockRows = 32;

/**
 * Squared lengths of the projections of g on the span of the first 1, 2, …, k vectors v_i, all from one Cholesky
 * factorization G = L Lᵀ without pivoting: with L y = d, d_i = v_i·g, the i-th is y_1² + … + y_i².
 *
 * A vector that depends on those before it adds nothing and is passed over: one whose rest after projection on them is
 * below k·2⁻⁵² times the largest Gᵢᵢ. Pivoting, as in `solveSymmetricSemidefinite`, would be more accurate next to
 * dependence, but gives the first k alone, not each of their prefixes.
 *
 * @param gram G = V Vᵀ, row-major [k, k]; its lower triangle is read
 * @param sides d for each g, [k] each
 * @param dimension n: the span of n independent vectors is the whole space, so that no more rows are factorized. Default k
 * @returns for each side, the k squared lengths
 * @throws when lengths disagree
 */
export function nestedProjections(
  gram: Float64Array,
  sides: readonly Float64Array[],
  dimension?: number,
): readonly Float64Array[] {
  const size = sides[0]?.length ?? 0;
  if (gram.length !== size * size || sides.some((side) => side.length !== size)) {
    throw new Error(
      `Projections on prefixes need a matrix [k, k] and sides of k numbers; received ${gram.length} and ` +
        `${sides.map(({ length }) => length).join(", ")}.`,
    );
  }
  const most = Math.min(size, dimension ?? size);
  const factor = new Float64Array(most * most);
  const block = new Float64Array(blockRows * most);
  const rests = new Float64Array(blockRows);
  const four = new Float64Array(4);
  let largest = 0;
  for (let i = 0; i < size; i++) largest = Math.max(largest, gram[i * size + i] as number);
  const threshold = size * 2 ** -52 * largest;
  const pivots = new Int32Array(most);
  const solutions = sides.map(() => new Float64Array(most));
  const squares = sides.map(() => new Float64Array(size));
  let rank = 0;
  for (let first = 0; first < size; first += blockRows) {
    const rows = Math.min(blockRows, size - first);
    for (let i = 0; i < rows; i++) rests[i] = gram[(first + i) * size + first + i] as number;
    /** Writes the entry of a row of the block at pivot j, given the product of their rows. */
    const place = (i: number, j: number, product: number) => {
      const entry =
        ((gram[(first + i) * size + (pivots[j] as number)] as number) - product) /
        (factor[j * most + j] as number);
      block[i * most + j] = entry;
      rests[i] = (rests[i] as number) - entry * entry;
    };
    const before = rank;
    for (let j = 0; before < most && j < before; j++) {
      let i = 0;
      for (; i + 4 <= rows; i += 4) {
        dotFour(factor, j * most, block, i * most, most, j, four);
        for (let lane = 0; lane < 4; lane++) place(i + lane, j, four[lane] as number);
      }
      for (; i < rows; i++) place(i, j, dot(block, i * most, factor, j * most, j));
    }
    for (let i = 0; i < rows; i++) {
      for (let j = before; rank < most && j < rank; j++)
        place(i, j, dot(block, i * most, factor, j * most, j));
      const rest = rests[i] as number;
      const isPivot = rank < most && rest > threshold;
      for (const [index, side] of sides.entries()) {
        const solution = solutions[index] as Float64Array;
        const lengths = squares[index] as Float64Array;
        const row = first + i;
        let square = row > 0 ? (lengths[row - 1] as number) : 0;
        if (isPivot) {
          const left = (side[row] as number) - dot(block, i * most, solution, 0, rank);
          solution[rank] = left / Math.sqrt(rest);
          square += (left * left) / rest;
        }
        lengths[row] = square;
      }
      if (!isPivot) continue;
      block[i * most + rank] = Math.sqrt(rest);
      factor.set(block.subarray(i * most, i * most + rank + 1), rank * most);
      pivots[rank] = first + i;
      rank += 1;
    }
  }
  return squares;
}

/** The products of a's row with four rows of b, `stride` apart: what is read of a serves all four. */
function dotFour(
  a: Float64Array,
  offsetA: number,
  b: Float64Array,
  offsetB: number,
  stride: number,
  length: number,
  out: Float64Array,
): void {
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  const [b1, b2, b3] = [offsetB + stride, offsetB + 2 * stride, offsetB + 3 * stride];
  for (let i = 0; i < length; i++) {
    const value = a[offsetA + i] as number;
    s0 += value * (b[offsetB + i] as number);
    s1 += value * (b[b1 + i] as number);
    s2 += value * (b[b2 + i] as number);
    s3 += value * (b[b3 + i] as number);
  }
  out[0] = s0;
  out[1] = s1;
  out[2] = s2;
  out[3] = s3;
}

/** Four sums side by side: one alone waits for each addition before the next. */
function dot(a: Float64Array, offsetA: number, b: Float64Array, offsetB: number, length: number): number {
  let [s0, s1, s2, s3] = [0, 0, 0, 0];
  const whole = length & ~3;
  for (let i = 0; i < whole; i += 4) {
    s0 += (a[offsetA + i] as number) * (b[offsetB + i] as number);
    s1 += (a[offsetA + i + 1] as number) * (b[offsetB + i + 1] as number);
    s2 += (a[offsetA + i + 2] as number) * (b[offsetB + i + 2] as number);
    s3 += (a[offsetA + i + 3] as number) * (b[offsetB + i + 3] as number);
  }
  for (let i = whole; i < length; i++) s0 += (a[offsetA + i] as number) * (b[offsetB + i] as number);
  return s0 + s1 + (s2 + s3);
}
