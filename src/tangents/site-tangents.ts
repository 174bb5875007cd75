import type { Tensor } from "../onnx/tensor.ts";
import { fold, type Key } from "../random/threefry.ts";
import type { Sampler } from "./sampler.ts";
import { rescale, rowOf } from "./tangent-set.ts";

/** k tangents of the values at all sites, for each example of a batch or shared by all of them. */
export interface SiteTangents {
  readonly count: number;
  /** The batch size, or 1 where the examples share their tangents. */
  readonly examples: number;
  readonly sampler: Sampler;
  readonly sites: readonly {
    readonly value: string;
    /** Numbers of one example at this site. */
    readonly size: number;
    /** [k, examples, size] */
    readonly tensor: Tensor & { readonly data: Float32Array };
  }[];
}

/**
 * Makes room for k tangents of all sites.
 *
 * @throws for the low-rank sampler: one example's activation is a vector, which has no factors.
 */
export function createSiteTangents(
  sites: readonly { readonly value: string; readonly size: number }[],
  count: number,
  examples: number,
  sampler: Sampler,
): SiteTangents {
  if (sampler.rank !== undefined) {
    throw new Error(
      "The low-rank sampler makes tangents of matrices, and activations of one example are vectors; " +
        "use gaussian, rademacher or sphere, or perturb weights.",
    );
  }
  return {
    count,
    examples,
    sampler,
    sites: sites.map(({ value, size }) => ({
      value,
      size,
      tensor: {
        dtype: "float32",
        shape: [count, examples, size],
        data: new Float32Array(count * examples * size),
      },
    })),
  };
}

/**
 * Draws all tangents of one step: tangent i at site s reads the stream fold(fold(key, i), s), example after example, so
 * an example's numbers do not depend on how many others there are.
 */
export function drawSiteTangents(tangents: SiteTangents, key: Key): void {
  const { count, sampler, sites } = tangents;
  for (let tangent = 0; tangent < count; tangent++) {
    const stream = fold(key, tangent);
    const rows = sites.map(({ tensor }) => rowOf(tensor, tangent));
    for (const [site, row] of rows.entries()) sampler.fill(fold(stream, site), 0, row);
    if (sampler.radius) rescaleExamples(tangents, rows, sampler.radius);
  }
}

/** Gives each example's tangent over all sites its own length. */
function rescaleExamples(
  { sites, examples }: SiteTangents,
  rows: readonly Float32Array[],
  radius: (dimension: number) => number,
): void {
  const dimension = sites.reduce((total, { size }) => total + size, 0);
  for (let example = 0; example < examples; example++) {
    const pieces = rows.map((row, site) => {
      const size = sites[site]?.size ?? 0;
      return row.subarray(example * size, (example + 1) * size);
    });
    rescale(pieces, radius(dimension));
  }
}
