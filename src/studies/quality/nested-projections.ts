import { SettingError } from "../../errors/errors.ts";
import type { Tensor } from "../../onnx/tensor.ts";
import { GraphBuilder } from "../../ops/builder.ts";
import { compileGraph } from "../../runtime/evaluate.ts";
import type { Runtime, Session } from "../../runtime/runtime.ts";

/** Columns of L that are computed together: their products with all earlier ones are one matrix product. */
const panelWidth = 64;

/** Projections on the spans of the first 1, 2, …, k of many sets of k tangents. */
export interface NestedProjections {
  /**
   * The squared lengths of the projections of g on the span of the first 1, 2, …, k tangents v_i.
   *
   * @param gram G = V Vᵀ in float64, row-major [k, k]; its lower triangle is read
   * @param sides d for each g, d_i = v_i·g, [k] each
   * @returns for each side, the k squared lengths
   */
  squares(gram: Float64Array, sides: readonly Float64Array[]): Promise<readonly Float64Array[]>;
  release(): Promise<void>;
}

/**
 * Prepares projections of k tangents in n dimensions. One Cholesky factorization G = L Lᵀ without pivoting serves all
 * prefixes: with L y = d, the i-th squared length is y_1² + … + y_i².
 *
 * A tangent that depends on those before it adds nothing and is passed over: one whose rest after projection on them is
 * below k·2⁻⁵² times the largest Gᵢᵢ. Pivoting, as in `solveSymmetricSemidefinite`, would be more accurate next to
 * dependence, but gives the first k alone, not each of their prefixes. The span of n independent tangents is the whole
 * space, so that the factorization ends there.
 *
 * @param count k
 * @param dimension n
 */
export function nestedProjections(runtime: Runtime, count: number, dimension: number): NestedProjections {
  // Columns of L: no more tangents than these can be independent.
  const most = Math.min(count, dimension);
  const factor = new Float64Array(count * most);
  const sessions = new Map<string, Promise<Session>>();
  const products = async (rows: Tensor, panel: Tensor): Promise<Float64Array> => {
    const key = `${rows.shape[0]}×${panel.shape[0]}`;
    const known = sessions.get(key) ?? compileProduct(runtime, rows.shape, panel.shape);
    sessions.set(key, known);
    const { product } = await (await known).run({ rows, panel });
    return (product as Tensor).data as Float64Array;
  };
  return {
    async squares(gram, sides) {
      requireLengths(gram, sides, count);
      factor.fill(0);
      const tail = (from: number, to: number): Tensor => ({
        dtype: "float64",
        shape: [to - from, most],
        data: factor.subarray(from * most, to * most),
      });
      const threshold = count * 2 ** -52 * largestDiagonal(gram, count);
      const solutions = sides.map(() => new Float64Array(most));
      const squares = sides.map(() => new Float64Array(count));
      let rank = 0;
      for (let first = 0; first < count; first += panelWidth) {
        const last = Math.min(first + panelWidth, count);
        // Once the span is the whole space, nothing is left to project.
        const panel = rank < most ? columnsOf(gram, count, first, last) : new Float64Array(0);
        if (rank > 0 && rank < most) {
          const known = await products(tail(first, count), tail(first, last));
          for (let position = 0; position < panel.length; position++)
            panel[position] = (panel[position] as number) - (known[position] as number);
        }
        for (let tangent = first; tangent < last; tangent++) {
          const column = tangent - first;
          const rest = rank < most ? (panel[column * (last - first) + column] as number) : 0;
          const isIndependent = rest > threshold;
          if (isIndependent) eliminate(panel, factor, { first, last, column, rank, most, count });
          for (const [index, side] of sides.entries()) {
            const solution = solutions[index] as Float64Array;
            const lengths = squares[index] as Float64Array;
            let square = tangent > 0 ? (lengths[tangent - 1] as number) : 0;
            if (isIndependent) {
              let left = side[tangent] as number;
              for (let i = 0; i < rank; i++)
                left -= (factor[tangent * most + i] as number) * (solution[i] as number);
              solution[rank] = left / Math.sqrt(rest);
              square += (left * left) / rest;
            }
            lengths[tangent] = square;
          }
          if (isIndependent) rank += 1;
        }
      }
      return squares;
    },
    async release() {
      await Promise.all([...sessions.values()].map(async (session) => (await session).release()));
    },
  };
}

/** A graph for rows · panelᵀ. */
function compileProduct(
  runtime: Runtime,
  rows: readonly number[],
  panel: readonly number[],
): Promise<Session> {
  const g = new GraphBuilder("projections");
  const [a, b] = [g.input("rows", "float64", rows), g.input("panel", "float64", panel)];
  return compileGraph(runtime, g.build({ product: g.gemm(a, b, { transB: 1 }) }));
}

/** Columns `first` to `last` of G from row `first` on, row-major. */
function columnsOf(gram: Float64Array, count: number, first: number, last: number): Float64Array {
  const width = last - first;
  const panel = new Float64Array((count - first) * width);
  for (let row = first; row < count; row++)
    panel.set(gram.subarray(row * count + first, row * count + last), (row - first) * width);
  return panel;
}

/** Writes column `rank` of L, and takes what it explains out of the columns of the panel behind `column`. */
function eliminate(
  panel: Float64Array,
  factor: Float64Array,
  {
    first,
    last,
    column,
    rank,
    most,
    count,
  }: Readonly<Record<"first" | "last" | "column" | "rank" | "most" | "count", number>>,
): void {
  const width = last - first;
  const root = Math.sqrt(panel[column * width + column] as number);
  for (let row = column; row < count - first; row++)
    factor[(first + row) * most + rank] = (panel[row * width + column] as number) / root;
  const heads = new Float64Array(width);
  for (let other = column + 1; other < width; other++)
    heads[other] = factor[(first + other) * most + rank] as number;
  for (let row = column + 1; row < count - first; row++) {
    const entry = factor[(first + row) * most + rank] as number;
    const start = row * width;
    for (let other = column + 1; other < width; other++)
      panel[start + other] = (panel[start + other] as number) - entry * (heads[other] as number);
  }
}

function largestDiagonal(gram: Float64Array, count: number): number {
  let largest = 0;
  for (let i = 0; i < count; i++) largest = Math.max(largest, gram[i * count + i] as number);
  return largest;
}

function requireLengths(gram: Float64Array, sides: readonly Float64Array[], count: number): void {
  if (gram.length === count * count && sides.every((side) => side.length === count)) return;
  throw new SettingError(
    `Projections of ${count} tangents need a matrix of ${count * count} numbers and sides of ${count}; received ` +
      `${gram.length} and ${sides.map(({ length }) => length).join(", ")}.`,
    { option: "gram" },
  );
}
