/** The update from a key and coefficients: ĝ = V c, drawn and added in one order, so that every kind of CPU gets the same bits. */
import { lengthScale } from "../../estimate/weights/redrawn.ts";
import { elementCount } from "../../onnx/tensor.ts";
import type { Arrays } from "../../optim/optimizer.ts";
import { createDrawer, type Drawer, type ThreadHost } from "../../random/drawer.ts";
import { fold, type Key } from "../../random/threefry.ts";
import type { Sampler } from "../../tangents/sampler.ts";
import {
  createTangentSet,
  type ParameterShape,
  rowOf,
  type TangentPart,
} from "../../tangents/tangent-set.ts";
import { type SlicedTangents, sliceOf } from "./slices.ts";

/** Numbers that are drawn and added at once: they stay in a core's cache, and begin where the generator's blocks do. */
const pieceSize = 2 ** 14;

/** Forms updates of one set of parameters. */
export interface Update {
  /**
   * ĝ = Σ c_i v_i of a step.
   *
   * @param key the step's
   * @param coefficients c, [k]; tangents of the coefficient 0 are not drawn
   * @returns by parameter, flat [...shape]; written anew by the next call
   */
  form(key: Key, coefficients: Float32Array): Arrays;
  release(): Promise<void>;
}

/**
 * Tangents are drawn again, piece by piece, and added in float64 in the order of their numbers, by JavaScript, whose operations
 * IEEE 754 fixes one by one. A runtime's matrix product adds in an order that depends on the CPU.
 *
 * @param sampler one whose tangents are independent of each other
 * @param sliced what each granule's tangents perturb. Default: all of them perturb all parameters
 */
export function openUpdate(
  parameters: readonly ParameterShape[],
  sampler: Sampler,
  host?: ThreadHost,
  sliced?: SlicedTangents,
): Update {
  const drawer = createDrawer(host);
  const gradients = Object.fromEntries(
    parameters.map(({ name, shape }) => [name, new Float32Array(elementCount(shape))]),
  );
  if (!sliced) {
    const whole = combiner(parameters, Object.values(gradients), sampler, drawer);
    return {
      form(key, coefficients) {
        whole(key, coefficients, 0);
        return gradients;
      },
      release: () => drawer.release(),
    };
  }
  const bySlice = new Map(
    sliced.slices.map((slice) => {
      const into = slice.parts.map(({ name, from, to }) => gradients[name]?.subarray(from, to));
      return [slice, combiner(slice.parts, into as Float32Array[], sampler, drawer)];
    }),
  );
  return {
    form(key, coefficients) {
      // Each slice is some granule's, so that all numbers are written.
      for (const [index, { first, count }] of sliced.granules.entries())
        bySlice.get(sliceOf(sliced.slices, key, index))?.(
          key,
          coefficients.subarray(first, first + count),
          first,
        );
      return gradients;
    },
    release: () => drawer.release(),
  };
}

/** Writes Σ c_i v_i of the tangents `first`, `first + 1`, … of a step, as many as there are coefficients. */
type Combiner = (key: Key, coefficients: Float32Array, first: number) => void;

/** @param into written, flat [...shape] of each of the parameters */
function combiner(
  parameters: readonly ParameterShape[],
  into: readonly Float32Array[],
  sampler: Sampler,
  drawer: Drawer,
): Combiner {
  // Parts and their places in a tangent's stream; one row holds the factors of matrices.
  const { parts, dimension } = createTangentSet(parameters, 1, sampler);
  const outs = new Map(parameters.map(({ name }, index) => [name, into[index] as Float32Array]));
  const piece = new Float32Array(pieceSize);
  const sum = new Float64Array(pieceSize);

  const addStacked = ({ parameter, offset }: TangentPart, drawn: readonly Drawn[]) => {
    const out = outs.get(parameter) as Float32Array;
    for (let start = 0; start < out.length; start += pieceSize) {
      const count = Math.min(pieceSize, out.length - start);
      const row = piece.subarray(0, count);
      sum.fill(0, 0, count);
      for (const { key, coefficient } of drawn) {
        drawer.draw([{ fill: sampler.fill, key, start: offset + start, out: row }]);
        for (let index = 0; index < count; index++)
          sum[index] = (sum[index] as number) + coefficient * (row[index] as number);
      }
      for (let index = 0; index < count; index++) out[start + index] = sum[index] as number;
    }
  };

  /** Σ c_i L_i R_iᵀ of one matrix, row by row. */
  const addFactored = (left: TangentPart, right: TangentPart, drawn: readonly Drawn[]) => {
    const out = outs.get(left.parameter) as Float32Array;
    const [, rows = 1, rank = 1] = left.tensor.shape;
    const columns = out.length / rows;
    const factors = drawn.map(({ key, coefficient }) => {
      const [a, b] = [left, right].map((part) => {
        const data = new Float32Array(rowOf(part.tensor, 0).length);
        drawer.draw([
          {
            ...{ fill: sampler.fill, key, start: part.offset, out: data },
            scale: part === left ? 1 / Math.sqrt(rank) : 1,
          },
        ]);
        return data;
      }) as [Float32Array, Float32Array];
      return { coefficient, left: a, right: turned(b, columns, rank) };
    });
    const row = new Float64Array(columns);
    for (let index = 0; index < rows; index++) {
      row.fill(0);
      for (const factor of factors)
        for (let a = 0; a < rank; a++) {
          const weight = factor.coefficient * (factor.left[index * rank + a] as number);
          const start = a * columns;
          for (let column = 0; column < columns; column++)
            row[column] = (row[column] as number) + weight * (factor.right[start + column] as number);
        }
      out.set(row, index * columns);
    }
  };

  return (key, coefficients, first) => {
    const drawn: Drawn[] = [];
    for (const [index, value] of coefficients.entries()) {
      // NaN counts, so that it shows.
      if (value === 0) continue;
      const own = fold(key, first + index);
      const scale = sampler.radius ? lengthScale(drawer, sampler, own, dimension, piece) : 1;
      drawn.push({ key: own, coefficient: scale * value });
    }
    for (const [index, part] of parts.entries()) {
      if (part.role === "stacked") addStacked(part, drawn);
      else if (part.role === "left") addFactored(part, parts[index + 1] as TangentPart, drawn);
    }
  };
}

/** A tangent's stream, and what its numbers are multiplied by. */
interface Drawn {
  readonly key: Key;
  readonly coefficient: number;
}

/** [rows, rank] → [rank, rows] */
function turned(factor: Float32Array, rows: number, rank: number): Float32Array {
  const result = new Float32Array(factor.length);
  for (let row = 0; row < rows; row++)
    for (let a = 0; a < rank; a++) result[a * rows + row] = factor[row * rank + a] as number;
  return result;
}
