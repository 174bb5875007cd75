/** Gram matrices of tangents at sites: as a graph's outputs hold them, or counted from the bits of signs. */
import { zeros } from "../../onnx/tensor.ts";
import type { Drawer } from "../../random/drawer.ts";
import { fold, type Key } from "../../random/threefry.ts";
import type { Tensors } from "../../runtime/runtime.ts";
import { areCounted } from "../../tangents/sampler.ts";
import type { SiteTangents } from "../../tangents/site-tangents.ts";
import type { ExampleTangents, Method } from "../passes.ts";
import type { FoundSites } from "./found-sites.ts";

/** How many Gram matrices there are: zeros of their own tell the examples' tangents apart. */
export function gramCount({ sites }: Pick<FoundSites, "sites">, examples: number, batch: number): number {
  return sites.some(({ rectified }) => rectified) ? batch : examples;
}

/** Tensors that `observationGraph` writes for k tangents, and what they then say of each example. */
export function gramResults(
  found: Pick<FoundSites, "sites" | "dimension">,
  { k, examples, batch }: { readonly k: number; readonly examples: number; readonly batch: number },
): { readonly tensors: Tensors; readonly ofExample: (example: number) => ExampleTangents } {
  const isRectified = found.sites.some(({ rectified }) => rectified);
  const count = gramCount(found, examples, batch);
  const gram = zeros("float32", [count, k, k]);
  const active = zeros("float32", [isRectified ? batch : 0]);
  const matrix = new Float64Array(k * k);
  return {
    tensors: isRectified ? { gram, active } : { gram },
    ofExample(example) {
      const index = count === 1 ? 0 : example;
      matrix.set((gram.data as Float32Array).subarray(index * k * k, (index + 1) * k * k));
      return { gram: matrix, dimension: isRectified ? Number(active.data[example]) : found.dimension };
    },
  };
}

/** Which of a step's tangents were drawn last. */
export interface Drawn {
  readonly key: Key;
  /** So many examples come before the first one in the streams. */
  readonly before: number;
}

/** Gram matrices of kept tangents that are signs, the same numbers as float32 products give, without reading a tangent. */
export interface CountedGrams {
  /** @param values the rectified sites' values, by name */
  read(drawer: Drawer, drawn: Drawn, values: Tensors): void;
  ofExample(example: number): ExampleTangents;
}

/** @returns undefined where the tangents are no signs, are few, or Gram matrices are not asked for in float32 */
export async function countedGrams(
  { sites, dimension }: Pick<FoundSites, "sites" | "dimension">,
  { count: k, examples }: Pick<SiteTangents, "count" | "examples">,
  batch: number,
  { aggregator, exactGram, sampler }: Method,
): Promise<CountedGrams | undefined> {
  if (!aggregator.usesGram || exactGram) return undefined;
  // Loaded where there is enough to count.
  if (!areCounted(sampler, k * examples * dimension)) return undefined;
  const { openSignGrams } = await import("../../tangents/sign-grams.ts");
  const isRectified = sites.some(({ rectified }) => rectified);
  const pieces = sites.map(({ size, layout: { inner } }) => ({ size, inner, examples }));
  const counts = openSignGrams(k, isRectified ? batch : examples, pieces);
  return (
    counts && {
      read(drawer, { key, before }, values) {
        const masks = sites.map(({ value, rectified }) =>
          rectified ? (values[value]?.data as Float32Array) : undefined,
        );
        counts.count(drawer, (tangent, site) => fold(fold(key, tangent), site), before, masks);
      },
      ofExample: (example) => ({
        gram: counts.gram(isRectified || examples > 1 ? example : 0),
        dimension: isRectified ? counts.active(example) : dimension,
      }),
    }
  );
}
