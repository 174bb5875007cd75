/** Gram matrices of tangents at sites: as a graph's outputs hold them, or computed here. */
import { zeros } from "../../onnx/tensor.ts";
import type { Tensors } from "../../runtime/runtime.ts";
import { exampleGram } from "../../tangents/gram.ts";
import type { SiteTangents } from "../../tangents/site-tangents.ts";
import type { ExampleTangents } from "../passes.ts";
import type { FoundSites } from "./found-sites.ts";
import { activeNumbers } from "./rectified.ts";

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

/** Gram matrices of kept tangents in float64, for few numbers, and what they then say of each example. */
export function exactGrams(
  found: Pick<FoundSites, "sites" | "dimension">,
  tangents: SiteTangents,
  batch: number,
): {
  /** @param values the rectified sites' values, by name */
  readonly read: (values: Tensors) => void;
  readonly ofExample: (example: number) => ExampleTangents;
} {
  const isRectified = found.sites.some(({ rectified }) => rectified);
  const active = activeNumbers(isRectified ? found.sites : [], batch);
  const matrix = new Float64Array(tangents.count ** 2);
  return {
    read(values: Tensors) {
      if (isRectified) active.read(values);
    },
    ofExample(example: number): ExampleTangents {
      const mask = (site: number, rows: Float32Array) => active.mask(site, example, rows);
      exampleGram(tangents, example, matrix, isRectified ? mask : undefined);
      return { gram: matrix, dimension: isRectified ? active.count(example) : found.dimension };
    },
  };
}
