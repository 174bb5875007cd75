/** Solves symmetric semidefinite systems by pivoted Cholesky decomposition. */
import { DivergenceError, SettingError } from "../errors/errors.ts";

/** Scratch space of `solveSymmetricSemidefinite` for systems of one size k, so that repeated solves allocate nothing. */
export interface CholeskyWorkspace {
  readonly size: number;
  /** The pivoted factor L, row-major [k, k]: row i belongs to row i of the matrix, column j to the j-th pivot. */
  readonly factor: Float64Array;
  /** What is left of each diagonal entry after the pivots so far, [k]. */
  readonly residual: Float64Array;
  /** Row numbers, pivots first, in the order of their choice, [k]. */
  readonly order: Int32Array;
  /** The solution of the triangular systems, in the order of the pivots, [k]. */
  readonly intermediate: Float64Array;
}

/** Buffers for k×k systems. */
export function choleskyWorkspace(size: number): CholeskyWorkspace {
  return {
    size,
    factor: new Float64Array(size * size),
    residual: new Float64Array(size),
    order: new Int32Array(size),
    intermediate: new Float64Array(size),
  };
}

/**
 * Solves G c = d for a symmetric positive semidefinite G by Cholesky with diagonal pivoting, in O(k·rank²) (Higham,
 * "Accuracy and Stability of Numerical Algorithms", section 10.3), and returns the numerical rank.
 *
 * Pivoting stops when no diagonal entry of the rest exceeds relativeTolerance × max Gᵢᵢ. Rows that are not pivots
 * get the coefficient 0: the basic solution. When d lies in the range of G, as d = V g does for G = V Vᵀ, every
 * solution has the same V c, namely the projection of g on the tangents' span, so the choice does not matter. When
 * rounding has moved d slightly out of the range (two equal tangents whose derivatives differ in the last bits), the
 * basic solution fits the pivots' derivatives exactly and ignores the others, so V c moves by no more than those last
 * bits; averaging them would cost a second factorization for nothing that can be seen.
 *
 * @param gram G, row-major [k, k]; the diagonal and both triangles are expected to agree, either may be read
 * @param right d, [k]
 * @param solution c, [k], written; may be the same array as `right`
 * @param workspace from `choleskyWorkspace(k)`; made anew when left out
 * @param relativeTolerance k·2⁻⁵² unless given; use k·2⁻²³ for a G that was computed in float32
 * @throws when lengths disagree or an entry is not finite
 */
export function solveSymmetricSemidefinite(
  gram: Float64Array,
  right: Float64Array,
  solution: Float64Array,
  workspace: CholeskyWorkspace = choleskyWorkspace(right.length),
  relativeTolerance: number = right.length * 2 ** -52,
): number {
  const size = right.length;
  if (gram.length !== size * size || solution.length !== size || workspace.size !== size) {
    throw new SettingError(
      `A system of ${size} equations needs a matrix of ${size * size} numbers, a solution of ${size} and a workspace ` +
        `of size ${size}; received ${gram.length}, ${solution.length} and ${workspace.size}.`,
      { option: "gram" },
    );
  }
  requireFinite(gram, right);
  const rank = factorize(gram, workspace, relativeTolerance);
  solveTriangular(workspace, rank, right, solution);
  return rank;
}

/** Fills the workspace with the pivoted factor of G and returns its rank. */
function factorize(gram: Float64Array, workspace: CholeskyWorkspace, relativeTolerance: number): number {
  const { size, factor, residual, order } = workspace;
  let largest = 0;
  for (let i = 0; i < size; i++) {
    const diagonal = gram[i * size + i] as number;
    residual[i] = diagonal;
    order[i] = i;
    if (diagonal > largest) largest = diagonal;
  }
  const threshold = relativeTolerance * largest;
  for (let step = 0; step < size; step++) {
    let position = step;
    let best = residual[order[step] as number] as number;
    for (let i = step + 1; i < size; i++) {
      const candidate = residual[order[i] as number] as number;
      if (candidate > best) {
        best = candidate;
        position = i;
      }
    }
    if (best <= threshold) return step;
    const pivot = order[position] as number;
    order[position] = order[step] as number;
    order[step] = pivot;
    const pivotRow = pivot * size;
    const root = Math.sqrt(best);
    factor[pivotRow + step] = root;
    for (let i = step + 1; i < size; i++) {
      const index = order[i] as number;
      const row = index * size;
      let sum = gram[pivotRow + index] as number;
      for (let j = 0; j < step; j++) sum -= (factor[row + j] as number) * (factor[pivotRow + j] as number);
      const entry = sum / root;
      factor[row + step] = entry;
      residual[index] = (residual[index] as number) - entry * entry;
    }
  }
  return size;
}

/** Solves L Lᵀ c = d on the pivots; the other coefficients become 0. */
function solveTriangular(
  workspace: CholeskyWorkspace,
  rank: number,
  right: Float64Array,
  solution: Float64Array,
): void {
  const { size, factor, order, intermediate } = workspace;
  for (let i = 0; i < rank; i++) {
    const index = order[i] as number;
    const row = index * size;
    let sum = right[index] as number;
    for (let j = 0; j < i; j++) sum -= (factor[row + j] as number) * (intermediate[j] as number);
    intermediate[i] = sum / (factor[row + i] as number);
  }
  solution.fill(0);
  for (let i = rank - 1; i >= 0; i--) {
    const index = order[i] as number;
    const row = index * size;
    const value = (intermediate[i] as number) / (factor[row + i] as number);
    solution[index] = value;
    for (let j = 0; j < i; j++) {
      intermediate[j] = (intermediate[j] as number) - value * (factor[row + j] as number);
    }
  }
}

/** Numbers that must be finite are not. */
export class NotFiniteError extends DivergenceError {}

/** Throws when an entry is infinite or not a number, naming the first. */
function requireFinite(gram: Float64Array, right: Float64Array): void {
  // A number times 0 is 0 when it is finite and NaN otherwise, so one sum tells about all entries.
  let zero = 0;
  for (let i = 0; i < gram.length; i++) zero += (gram[i] as number) * 0;
  for (let i = 0; i < right.length; i++) zero += (right[i] as number) * 0;
  if (zero === 0) return;
  const size = right.length;
  const isBad = (value: number) => !Number.isFinite(value);
  const entry = gram.findIndex(isBad);
  const index = right.findIndex(isBad);
  const received =
    entry >= 0
      ? `G[${Math.floor(entry / size)}, ${entry % size}] = ${gram[entry]}`
      : `d[${index}] = ${right[index]}`;
  throw new NotFiniteError(
    `Solving G c = d needs finite numbers, received ${received}. A derivative that is not finite usually means that ` +
      "the loss diverged: lower the learning rate, or look for an overflow in the model.",
  );
}
