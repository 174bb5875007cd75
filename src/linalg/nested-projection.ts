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
  const row = new Float64Array(most);
  let largest = 0;
  for (let i = 0; i < size; i++) largest = Math.max(largest, gram[i * size + i] as number);
  const threshold = size * 2 ** -52 * largest;
  const pivots = new Int32Array(most);
  const solutions = sides.map(() => new Float64Array(most));
  const squares = sides.map(() => new Float64Array(size));
  let rank = 0;
  for (let i = 0; i < size; i++) {
    const isPivot = rank < most && factorizeRow(gram, size, i, factor, most, pivots, rank, row) > threshold;
    if (isPivot) {
      factor.set(row.subarray(0, rank + 1), rank * most);
      pivots[rank] = i;
    }
    for (const [index, side] of sides.entries()) {
      const solution = solutions[index] as Float64Array;
      const lengths = squares[index] as Float64Array;
      let square = i > 0 ? (lengths[i - 1] as number) : 0;
      if (isPivot) {
        const entry = ((side[i] as number) - dot(row, 0, solution, 0, rank)) / (row[rank] as number);
        solution[rank] = entry;
        square += entry * entry;
      }
      lengths[i] = square;
    }
    if (isPivot) rank += 1;
  }
  return squares;
}

/** Writes row i of L, with the root of the rest at [rank], and returns the rest. */
function factorizeRow(
  gram: Float64Array,
  size: number,
  i: number,
  factor: Float64Array,
  stride: number,
  pivots: Int32Array,
  rank: number,
  row: Float64Array,
): number {
  let rest = gram[i * size + i] as number;
  for (let j = 0; j < rank; j++) {
    const product = dot(row, 0, factor, j * stride, j);
    const entry =
      ((gram[i * size + (pivots[j] as number)] as number) - product) / (factor[j * stride + j] as number);
    row[j] = entry;
    rest -= entry * entry;
  }
  row[rank] = Math.sqrt(Math.max(rest, 0));
  return rest;
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
