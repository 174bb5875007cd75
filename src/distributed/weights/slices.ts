/** Slices of the parameters: each granule of a step perturbs another one, and another at each step. */
import { SettingError } from "../../errors/errors.ts";
import { option, words } from "../../errors/words.ts";
import { elementCount } from "../../onnx/tensor.ts";
import type { Key } from "../../random/threefry.ts";
import type { Sampler } from "../../tangents/sampler.ts";
import type { ParameterShape } from "../../tangents/tangent-set.ts";

/** A range of a step's tangents. */
export interface Granule {
  /** The first of its tangents. */
  readonly first: number;
  /** How many there are. */
  readonly count: number;
}

/** Numbers of one parameter that follow each other. */
export interface SlicePart extends ParameterShape {
  /** The parameter. */
  readonly name: string;
  /** Of these numbers: [count], or [rows, …] of a matrix whose tangents are factors. */
  readonly shape: readonly number[];
  /** The first of them. */
  readonly from: number;
  /** Behind the last of them. */
  readonly to: number;
  /** Numbers in a row that stays whole: 1, or the columns of a matrix whose tangents are factors. */
  readonly row: number;
}

/** One slice. */
export interface Slice {
  /** Numbers in it. */
  readonly size: number;
  /** In the order of the parameters. */
  readonly parts: readonly SlicePart[];
}

/** What each granule's tangents perturb. */
export interface SlicedTangents {
  /** As many as granules. */
  readonly slices: readonly Slice[];
  /** All granules of a step. */
  readonly granules: readonly Granule[];
}

/**
 * Cuts the stream of all parameters into slices of nearly equal size, that meet at whole rows where tangents of matrices are factors.
 *
 * @throws SettingError where there are fewer numbers, or rows of them, than slices
 */
export function slicesOf(
  parameters: readonly ParameterShape[],
  count: number,
  { rank }: Pick<Sampler, "rank">,
): readonly Slice[] {
  const n = parameters.reduce((sum, { shape }) => sum + elementCount(shape), 0);
  const slices = Array.from({ length: count }, () => ({ size: 0, parts: [] as SlicePart[] }));
  let start = 0;
  for (const { name, shape } of parameters) {
    const size = elementCount(shape);
    const [, ...rest] = shape;
    const isFactored = rank !== undefined && shape.length >= 2;
    const row = isFactored ? elementCount(rest) : 1;
    // Where a slice begins, from this parameter's first number, at a row.
    const bound = (index: number) =>
      Math.min(size, Math.max(0, row * Math.round(((index * n) / count - start) / row)));
    for (const [index, slice] of slices.entries()) {
      const [from, to] = [bound(index), index === count - 1 ? size : bound(index + 1)];
      if (from >= to) continue;
      slice.parts.push({
        name,
        from,
        to,
        row,
        shape: isFactored ? [(to - from) / row, ...rest] : [to - from],
      });
      slice.size += to - from;
    }
    start += size;
  }
  if (slices.some(({ size }) => size === 0))
    throw new SettingError(
      words`${option("sliced", true)} cuts the parameters into ${count} slices, one for each granule of a step, and these have too few
        numbers or rows for it; use larger granules (${option("granule", null)}), or leave it out.`,
      { option: "sliced" },
    );
  return slices;
}

/** The slice that a granule perturbs at a step: each has one of its own, which one follows from the step's key. */
export function sliceOf(slices: readonly Slice[], key: Key, granule: number): Slice {
  return slices[(key[0] + granule) % slices.length] as Slice;
}

/** k tangents in granules of `size`, full ones first. */
export function granulesOf(tangents: number, size: number): readonly Granule[] {
  return Array.from({ length: Math.ceil(tangents / size) }, (_, index) => ({
    first: index * size,
    count: Math.min(size, tangents - index * size),
  }));
}
