import type { Tensor } from "../../onnx/tensor.ts";
import { GraphBuilder } from "../../ops/builder.ts";
import { compileGraph } from "../../runtime/evaluate.ts";
import type { Runtime, Session } from "../../runtime/runtime.ts";

/** Rows multiplied at once: G is symmetric, and blocks above its diagonal are left out. */
const blockRows = 256;

/** Gram matrices of many sets of tangents of one dimension, on the engine's matrix product. */
export interface RowProducts {
  /**
   * G = V Vᵀ in float64: [k, k], row-major. What lies above the diagonal is not to be read; the next call overwrites
   * it.
   * @param rows V, row-major [k, n]
   */
  gram(rows: Float32Array): Promise<Float64Array>;
  release(): Promise<void>;
}

/**
 * Compiles products for tangents of dimension n. They run in float64 when k > n/8, where G is badly conditioned, and in
 * float32 otherwise; the rule of `train` (docs/design.md, "Projection is exact").
 *
 * @param dimension n
 * @param count k
 */
export async function rowProducts(runtime: Runtime, dimension: number, count: number): Promise<RowProducts> {
  const isExact = 8 * count > dimension;
  const dtype = isExact ? "float64" : "float32";
  const starts = Array.from({ length: Math.ceil(count / blockRows) }, (_, block) => block * blockRows);
  const sessions = new Map<string, Session>();
  const heightAt = (start: number) => Math.min(blockRows, count - start);
  const sessionFor = async (left: number, right: number) => {
    const name = `${left}×${right}`;
    const known = sessions.get(name);
    if (known) return known;
    const g = new GraphBuilder(`products ${name}`);
    const [a, b] = [g.input("a", dtype, [left, dimension]), g.input("b", dtype, [right, dimension])];
    const session = await compileGraph(runtime, g.build({ product: g.gemm(a, b, { transB: 1 }) }));
    sessions.set(name, session);
    return session;
  };
  const matrix = new Float64Array(count * count);
  return {
    async gram(rows) {
      const numbers = isExact ? new Float64Array(rows) : rows;
      const blocks = starts.map((start): Tensor => {
        const shape = [heightAt(start), dimension];
        const data = numbers.subarray(start * dimension, (start + heightAt(start)) * dimension);
        return { dtype, shape, data } as Tensor;
      });
      for (const [i, a] of blocks.entries()) {
        for (const [j, b] of blocks.slice(0, i + 1).entries()) {
          const [top, left] = [starts[i] as number, starts[j] as number];
          const session = await sessionFor(heightAt(top), heightAt(left));
          const { product } = await session.run({ a, b });
          write(matrix, count, product as Tensor, top, left);
        }
      }
      return matrix;
    },
    async release() {
      await Promise.all([...sessions.values()].map((session) => session.release()));
    },
  };
}

/** Writes a block of G. */
function write(
  matrix: Float64Array,
  count: number,
  { shape, data }: Tensor,
  top: number,
  left: number,
): void {
  const [height = 0, width = 0] = shape;
  const numbers = data as Float64Array;
  for (let i = 0; i < height; i++)
    matrix.set(numbers.subarray(i * width, (i + 1) * width), (top + i) * count + left);
}
