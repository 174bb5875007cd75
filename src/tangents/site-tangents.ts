/** Tangents of activations, for each example or shared. */
import { SettingError } from "../errors/errors.ts";
import { option, words } from "../errors/words.ts";
import type { Tensor } from "../onnx/tensor.ts";
import { callingThread, type Drawer } from "../random/drawer.ts";
import { stepStreams } from "../random/streams.ts";
import { fold, type Key } from "../random/threefry.ts";
import { rescale } from "./pieces.ts";
import type { Pieces, Sampler } from "./sampler.ts";
import { rowOf } from "./tangent-set.ts";

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
 * Buffers for k tangents of all sites.
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
    throw new SettingError(
      words`The low-rank sampler makes tangents of matrices, and activations of one example are vectors; use another
        sampler, for example gaussian, or perturb weights (${option("perturb", "weights")}).`,
      { option: "sampler" },
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
 * Draws tangents first … first + count − 1 of one step, by default all: tangent i at site s reads the stream fold(fold(key, i), s), example after example, so
 * an example's numbers do not depend on how many others there are. Each example's tangents are a set of their own, with
 * their own lengths and arrangement.
 *
 * @param drawer what draws them; default: the calling thread
 * @param before so many examples come before the first one in the streams
 */
export function drawSiteTangents(
  tangents: SiteTangents,
  key: Key,
  drawer: Drawer = callingThread,
  first = 0,
  count = tangents.count - first,
  before = 0,
): void {
  const { examples, sampler, sites } = tangents;
  // Where tangents depend on those before them, these are drawn as well.
  const start = sampler.arrange ? 0 : first;
  const drawn = Array.from({ length: first + count - start }, (_, index) => start + index);
  drawer.draw(
    drawn.flatMap((tangent) => {
      const stream = fold(key, tangent);
      return sites.map(({ tensor, size }, site) => ({
        fill: sampler.fill,
        key: fold(stream, site),
        start: before * size,
        out: rowOf(tensor, tangent),
      }));
    }),
  );
  const { radius, arrange } = sampler;
  if (!radius && !arrange) return;
  const dimension = sites.reduce((total, { size }) => total + size, 0);
  const arrangement = fold(key, stepStreams.arrangement);
  for (let example = 0; example < examples; example++) {
    const set = drawn.map((tangent) => exampleTangent(tangents, tangent, example));
    if (radius) for (const pieces of set) rescale(pieces, radius(dimension));
    arrange?.(set, fold(arrangement, before + example));
  }
}

/** One example's tangent over all sites. */
function exampleTangent({ sites, examples }: SiteTangents, tangent: number, example: number): Pieces {
  return sites.map(({ size, tensor }) => {
    const start = (tangent * examples + example) * size;
    return tensor.data.subarray(start, start + size);
  });
}
