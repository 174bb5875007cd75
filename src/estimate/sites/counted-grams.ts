/** Gram matrices of kept tangents at sites that are signs, counted from their bits. Loaded where there is enough to count. */
import type { Drawer } from "../../random/drawer.ts";
import { fold, type Key } from "../../random/threefry.ts";
import type { Tensors } from "../../runtime/runtime.ts";
import { openSignGrams } from "../../tangents/sign-grams.ts";
import type { SiteTangents } from "../../tangents/site-tangents.ts";
import type { ExampleTangents } from "../passes.ts";
import type { FoundSites } from "./found-sites.ts";

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

/** @returns undefined where the engine does not run what counts */
export function countedGrams(
  { sites, dimension }: Pick<FoundSites, "sites" | "dimension">,
  { count: k, examples }: Pick<SiteTangents, "count" | "examples">,
  batch: number,
): CountedGrams | undefined {
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
