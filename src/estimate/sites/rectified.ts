/** Numbers at sites that a ReLU cut off, by example. */
import type { ExampleLayout } from "../../objective/coupling.ts";
import type { Tensors } from "../../runtime/runtime.ts";
import type { FoundSite } from "./found-sites.ts";

/** [outer, batch, inner] → [batch, outer, inner] */
export function gatherExamples(
  from: Float32Array,
  { outer, inner }: ExampleLayout,
  into: Float32Array,
): void {
  const batch = into.length / (outer * inner);
  for (let example = 0; example < batch; example++)
    for (let position = 0; position < outer; position++) {
      const start = (position * batch + example) * inner;
      into.set(from.subarray(start, start + inner), (example * outer + position) * inner);
    }
}

/** Which numbers of rectified sites are active in a batch: all of other sites are. */
export interface ActiveNumbers {
  /**
   * Reads a batch.
   *
   * @param values the rectified sites' values, by name
   */
  read(values: Tensors): void;
  /** Sets one example's inactive numbers to zero in rows [rows, size] of a site, in place. */
  mask(site: number, example: number, rows: Float32Array): void;
  /** How many of one example's numbers are active, at all sites. */
  count(example: number): number;
}

export function activeNumbers(sites: readonly FoundSite[], batch: number): ActiveNumbers {
  const held = sites.map(({ rectified, size }) => new Float32Array(rectified ? batch * size : 0));
  return {
    read(values) {
      for (const [index, { value, layout, rectified }] of sites.entries())
        if (rectified)
          gatherExamples(values[value]?.data as Float32Array, layout, held[index] as Float32Array);
    },
    mask(site, example, rows) {
      const { rectified, size } = sites[site] as FoundSite;
      if (!rectified) return;
      const own = (held[site] as Float32Array).subarray(example * size, (example + 1) * size);
      for (let start = 0; start < rows.length; start += size)
        for (let position = 0; position < size; position++)
          if (own[position] === 0) rows[start + position] = 0;
    },
    count(example) {
      return sites.reduce((sum, { rectified, size }, site) => {
        if (!rectified) return sum + size;
        const own = (held[site] as Float32Array).subarray(example * size, (example + 1) * size);
        let active = 0;
        for (let position = 0; position < size; position++) if (own[position] !== 0) active++;
        return sum + active;
      }, 0);
    },
  };
}
